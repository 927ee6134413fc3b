fn main() {
    println!("{} at {}", greeting::greeting(), ryu::Buffer::new().format(9.5));
}
