//! `kiro-server health`: the container's health check, so that the image needs no curl.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks the server that listens on `addr` for `/health` and gives back the body.
pub fn check(addr: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&reachable(addr), TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    body(&answer).map(str::to_owned).ok_or_else(|| io::Error::other(answer.lines().next().unwrap_or("no answer").to_owned()))
}

/// A server that listens on all addresses is asked on the loopback one.
fn reachable(mut addr: SocketAddr) -> SocketAddr {
    match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => addr.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => addr.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    addr
}

/// The body of an answer with status 200.
fn body(answer: &str) -> Option<&str> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.1 200 ").then_some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_200_is_healthy() {
        assert_eq!(body("HTTP/1.1 200 OK\r\nx: y\r\n\r\n{}"), Some("{}"));
        assert_eq!(body("HTTP/1.1 503 Service Unavailable\r\n\r\n{}"), None);
        assert_eq!(body(""), None);
    }

    #[test]
    fn all_addresses_means_loopback() {
        let addr = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert_eq!(reachable(addr("0.0.0.0:80")), addr("127.0.0.1:80"));
        assert_eq!(reachable(addr("[::]:80")), addr("[::1]:80"));
        assert_eq!(reachable(addr("127.0.0.2:80")), addr("127.0.0.2:80"));
    }
}
