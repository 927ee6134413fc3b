//! Write: typed Dockerfile instructions with `Display`, and the stages of each kind of image.
