//! The web server's configuration for a static bundle.

use std::collections::BTreeMap;

use crate::text::Text;

/// Port of the server where nothing else is said; unprivileged users cannot have 80.
pub(super) const DEFAULT_PORT: u16 = 8080;

const HEAD: &str = r#"  root /usr/share/nginx/html;
  server_tokens off;

  gzip on;
  gzip_vary on;
  gzip_min_length 1024;
  gzip_types text/css text/plain text/javascript application/javascript application/json application/manifest+json application/wasm image/svg+xml;

  location = /healthz {
    access_log off;
    default_type text/plain;
    return 200 "ok\n";
  }

  # A name that carries a hash of its content never changes what it means.
  location ~ "[.-](?:[0-9a-f]{8,}|(?=[\w-]*\d)(?=[\w-]*[A-Z])[\w-]{8,})\.(?:js|mjs|css|map|woff2?|png|jpe?g|gif|svg|webp|avif|wasm)$" {
    add_header Cache-Control "public, max-age=31536000, immutable";
    try_files $uri =404;
  }
"#;

const TAIL: &str = r#"
  # Everything else is asked for anew; paths that are no file are the application's own routes.
  location / {
    add_header Cache-Control "no-cache";
    try_files $uri $uri/ /index.html;
  }
}
"#;

/// The text of `/etc/nginx/conf.d/default.conf`. `proxy` is path prefix to upstream.
pub(super) fn configuration(port: u16, proxy: &BTreeMap<String, String>) -> String {
    let mut text = Text::new(format!("server {{\n  listen {port};\n{HEAD}"));
    if !proxy.is_empty() {
        text += "\n  # Docker's own name server: an upstream that is not there yet is no reason not to start.\n";
        text += "  resolver 127.0.0.11 valid=10s ipv6=off;\n";
    }
    for (index, (prefix, upstream)) in proxy.iter().enumerate() {
        text += &location(index, prefix, upstream);
    }
    text += TAIL;
    text.finish()
}

fn location(index: usize, prefix: &str, upstream: &str) -> String {
    let upstream = if upstream.contains("://") { upstream.to_owned() } else { format!("http://{upstream}") };
    let scheme_end = upstream.find("://").map_or(0, |at| at + 3);
    let (origin, path) = match upstream[scheme_end..].find('/') {
        Some(at) => upstream.split_at(scheme_end + at),
        None => (upstream.as_str(), ""),
    };
    let rewrite = if path.is_empty() { String::new() } else { format!("    rewrite ^{}(.*)$ {path}$1 break;\n", regex(prefix)) };
    format!(
        "\n  location ^~ {prefix} {{\n{rewrite}    set $upstream{index} {origin};\n    proxy_pass $upstream{index};\n    \
         proxy_http_version 1.1;\n    proxy_set_header Host $http_host;\n    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n    \
         proxy_set_header X-Forwarded-Proto $scheme;\n    proxy_set_header Upgrade $http_upgrade;\n    \
         proxy_set_header Connection $http_connection;\n  }}\n"
    )
}

/// A prefix as a regular expression that matches only itself.
fn regex(prefix: &str) -> String {
    prefix.chars().flat_map(|c| if "\\.+*?()[]{}^$|".contains(c) { vec!['\\', c] } else { vec![c] }).collect()
}
