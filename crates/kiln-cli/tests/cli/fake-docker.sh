#!/bin/bash
# A stand-in for the docker client. `$FAKE_DOCKER` is a folder with:
#   info.sh                      what `docker info` does
#   build.sh                     what `docker buildx build` does, unless there is
#   build-<service>-<variant>.sh for one image
#   imagetools.sh, du.sh         what `docker buildx imagetools` and `docker buildx du` do, if a test wants them
#   objects.sh                   what commands about containers, images, volumes and cache records do; nothing without it
#   history.sh                   what `docker buildx history …` does; without it the client knows no such command
#   inspect.sh                   what `docker buildx inspect [NAME]` does; without it the builder is Docker's own
#   stored.sh                    what `docker image inspect` does when it is asked for JSON; `has NAME…` prints those that are asked for
#   pull.sh                      what `docker pull` does; without it, it succeeds
#   workflow.sh                  what `docker buildx bake`, `docker create` and `docker cp` do
#   system.sh, version.sh        what `docker system dial-stdio` and `docker version` do; they fail without
#   bake.sh                      what `docker buildx bake` does, if there is
#   calls                        (written) one line for each call
# Scripts can use:
#   stream NAME [SECONDS]        print a recorded stream on stderr, with a pause after each line
#   metadata JSON                write the metadata file
# Only programs with absolute paths are used: PATH holds nothing but this file.
stream() {
  local line
  while IFS= read -r line; do
    printf '%s\n' "$line" >&2
    [[ -n "${2:-}" ]] && /bin/sleep "$2"
  done <"$FAKE_STREAMS/$1.jsonl"
  return 0
}
has() {
  local name asked
  for name in "$@"; do
    for asked in "${references[@]}"; do
      if [[ $asked == "$name" ]]; then
        printf '{"Id":"sha256:%s","RepoTags":["%s"],"Os":"linux","Architecture":"amd64","Size":1000}\n' "${name//[^a-z]/}" "$name"
      fi
    done
  done
}
metadata() { printf '%s' "$1" >"$metadata_file"; }

printf '%s\n' "$*" >>"$FAKE_DOCKER/calls"
if [[ $1 == --context ]]; then shift 2; fi
case "$1 $2" in
"info "*)
  . "$FAKE_DOCKER/info.sh"
  ;;
"buildx build")
  args=("$@")
  target=
  for i in "${!args[@]}"; do
    [[ ${args[$i]} == --metadata-file ]] && metadata_file=${args[$((i + 1))]}
    [[ ${args[$i]} == --target ]] && target=${args[$((i + 1))]}
  done
  context=${args[-1]##*/}
  script=$FAKE_DOCKER/build-${context%-*}.sh
  [[ -e $script ]] || script=$FAKE_DOCKER/build.sh
  . "$script"
  ;;
"buildx inspect")
  if [[ -e $FAKE_DOCKER/inspect.sh ]]; then
    . "$FAKE_DOCKER/inspect.sh"
  else
    printf 'Name:   default\nDriver: docker\n\nNodes:\nName: default\n'
  fi
  ;;
"buildx history")
  if [[ -e $FAKE_DOCKER/history.sh ]]; then
    . "$FAKE_DOCKER/history.sh"
  else
    echo 'ERROR: unknown command: "docker buildx history"' >&2
    exit 1
  fi
  ;;
"buildx imagetools" | "buildx du")
  if [[ -e $FAKE_DOCKER/$2.sh ]]; then
    reference=${*: -1}
    . "$FAKE_DOCKER/$2.sh"
  elif [[ -e $FAKE_DOCKER/objects.sh ]]; then
    . "$FAKE_DOCKER/objects.sh"
  else
    echo "ERROR: nobody answers" >&2
    exit 1
  fi
  ;;
"buildx bake" | "create "* | "cp "*)
  args=("$@")
  for i in "${!args[@]}"; do
    [[ ${args[$i]} == --metadata-file ]] && metadata_file=${args[$((i + 1))]}
  done
  if [[ $2 == bake && -e $FAKE_DOCKER/bake.sh ]]; then
    . "$FAKE_DOCKER/bake.sh"
    exit
  fi
  if [[ -e $FAKE_DOCKER/workflow.sh ]]; then . "$FAKE_DOCKER/workflow.sh"; fi
  ;;
"pull "*)
  if [[ -e $FAKE_DOCKER/pull.sh ]]; then . "$FAKE_DOCKER/pull.sh"; fi
  ;;
"image inspect")
  if [[ $4 == "{{json .}}" && -e $FAKE_DOCKER/stored.sh ]]; then
    references=("${@:5}")
    . "$FAKE_DOCKER/stored.sh"
    exit
  fi
  if [[ $4 == "{{len .RepoTags}}" ]]; then
    echo 1
    exit
  fi
  echo "sha256:21bc7e6346b201985966d44c42db51925d53135a53f0523a7aeeedec08b1256a 74507777"
  ;;
"history "*)
  printf '%s\n' 0 12288 0 3145728 74448384
  ;;
"version "* | "system "*)
  if [[ ! -e $FAKE_DOCKER/$1.sh ]]; then exit 1; fi
  . "$FAKE_DOCKER/$1.sh"
  ;;
"ps "* | "images "* | "volume "* | "rm "* | "rmi "* | "buildx prune" | "image rm")
  if [[ -e $FAKE_DOCKER/objects.sh ]]; then . "$FAKE_DOCKER/objects.sh"; fi
  ;;
*)
  echo "docker: unknown command: docker $1" >&2
  exit 125
  ;;
esac
