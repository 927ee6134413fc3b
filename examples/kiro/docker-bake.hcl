# Written by kiln 0.1.0; body blake3 231c46920aa6f8e84f90ed71921c7f7b
# Set values in kiln.toml and run `kiln init`; or edit this file, and kiln leaves it to you.
# docker buildx bake -f docker-bake.hcl [default|dev|fast|TARGET…]

variable "KILN_IMAGE" {
  default = "kiln:latest"
}

group "default" {
  targets = ["backend-prod", "frontend-prod"]
}

group "dev" {
  targets = ["backend-dev", "frontend-dev"]
}

group "fast" {
  targets = ["backend-fast", "frontend-fast"]
}

target "backend-prod" {
  context    = "backend"
  dockerfile = "Dockerfile"
  tags       = ["kiro/backend:latest"]
  args       = { KILN_IMAGE = KILN_IMAGE }
}

target "backend-dev" {
  context    = "backend"
  dockerfile = "Dockerfile.dev"
  tags       = ["kiro/backend:dev"]
  args       = { KILN_IMAGE = KILN_IMAGE }
}

target "backend-fast" {
  context    = "backend"
  dockerfile = "Dockerfile.fast"
  tags       = ["kiro/backend:fast"]
  args       = { KILN_IMAGE = KILN_IMAGE }
}

target "frontend-prod" {
  context    = "frontend"
  dockerfile = "Dockerfile"
  tags       = ["kiro/frontend:latest"]
  args       = { KILN_IMAGE = KILN_IMAGE }
}

target "frontend-dev" {
  context    = "frontend"
  dockerfile = "Dockerfile.dev"
  tags       = ["kiro/frontend:dev"]
  args       = { KILN_IMAGE = KILN_IMAGE }
}

target "frontend-fast" {
  context    = "frontend"
  dockerfile = "Dockerfile.fast"
  tags       = ["kiro/frontend:fast"]
  args       = { KILN_IMAGE = KILN_IMAGE }
}
