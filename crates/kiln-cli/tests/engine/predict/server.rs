//! A server for `ADD http://…`: the same file under every path, which never changes.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

/// Serves until the program ends; gives the address. The engine must be on this machine.
pub(super) fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = Vec::new();
            let mut buffer = [0; 1024];
            while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                match stream.read(&mut buffer) {
                    Ok(read) if read > 0 => head.extend_from_slice(&buffer[..read]),
                    _ => break,
                }
            }
            let body = if head.starts_with(b"HEAD") { "" } else { "served" };
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nETag: \"1\"\r\nLast-Modified: Wed, 01 Jan 2025 00:00:00 GMT\r\nConnection: close\r\n\r\n{body}"
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    format!("http://{address}")
}
