pub fn greeting() -> String {
    format!("hello, {}", itoa::Buffer::new().format(12))
}
