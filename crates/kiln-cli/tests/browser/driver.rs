//! A browser without a window, driven over WebDriver: `chromedriver` speaks JSON over HTTP, which takes little to speak back.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// The key under which WebDriver hands out elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one page.
#[derive(Debug)]
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
    _profile: TempDir,
}

impl Browser {
    /// Starts one with a fresh profile. It asks nobody anything.
    #[expect(clippy::disallowed_methods, reason = "tests run the programs that they need")]
    pub(crate) fn start() -> Self {
        let profile = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .env("TMPDIR", profile.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts; `make browser-test` installs it");
        let mut browser = Self { driver, port, session: String::new(), _profile: profile };
        let folder = browser._profile.path().join("profile");
        let mut args: Vec<String> = [
            "headless",
            "no-sandbox",
            "disable-gpu",
            "disable-quic",
            "no-first-run",
            "disable-background-networking",
            "disable-component-update",
            "disable-sync",
            "disable-dev-shm-usage",
            "window-size=1240,1000",
        ]
        .map(|arg| format!("--{arg}"))
        .to_vec();
        args.push(format!("--user-data-dir={}", folder.display()));
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": { "args": args },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let until = Instant::now() + Duration::from_secs(60);
        while browser.request("GET", "/status", &Value::Null).is_none() {
            assert!(Instant::now() < until, "chromedriver does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        let session = browser.request("POST", "/session", &capabilities).expect("an answer");
        browser.session = session["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {session}")).to_owned();
        browser
    }

    /// Opens a file.
    pub(crate) fn open(&self, path: &camino::Utf8Path) {
        self.post("url", &json!({ "url": format!("file://{path}") }));
    }

    /// What a script gives, as the body of a function.
    pub(crate) fn script(&self, body: &str) -> Value {
        self.post("execute/sync", &json!({ "script": body, "args": [] }))
    }

    /// Everything that was said in the console since the last time.
    pub(crate) fn console(&self) -> Vec<String> {
        let entries = self.post("se/log", &json!({ "type": "browser" }));
        entries.as_array().expect("a list").iter().map(|entry| format!("{}: {}", entry["level"], entry["message"])).collect()
    }

    /// Role and name that the browser tells to screen readers, for all elements of a selector.
    pub(crate) fn accessible(&self, selector: &str) -> Vec<(String, String)> {
        let found = self.post("elements", &json!({ "using": "css selector", "value": selector }));
        let ids = found.as_array().expect("a list").iter().map(|element| element[ELEMENT].as_str().expect("an id").to_owned());
        let ask = |id: &str, what: &str| {
            let path = format!("/session/{}/element/{id}/{what}", self.session);
            self.request("GET", &path, &Value::Null).expect("an answer").as_str().unwrap_or_default().to_owned()
        };
        ids.map(|id| (ask(&id, "computedrole"), ask(&id, "computedlabel"))).collect()
    }

    /// Presses keys, on what has the focus.
    pub(crate) fn press(&self, keys: &[&str]) {
        let actions: Vec<Value> = keys
            .iter()
            .flat_map(|key| [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })])
            .collect();
        self.post("actions", &json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": actions }] }));
    }

    /// Shows the page as on a `screen` or in `print`, in the scheme `light` or `dark`, so many pixels wide.
    pub(crate) fn media(&self, medium: &str, scheme: &str, width: u32) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.tool("Emulation.setEmulatedMedia", &json!({ "media": medium, "features": features }));
        let size = json!({ "width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": false });
        self.tool("Emulation.setDeviceMetricsOverride", &size);
    }

    /// The page on paper, as the PDF in base64.
    pub(crate) fn print(&self) -> String {
        self.post("print", &json!({ "background": false })).as_str().expect("text").to_owned()
    }

    /// A command of Chromium's own.
    fn tool(&self, command: &str, parameters: &Value) {
        self.post("goog/cdp/execute", &json!({ "cmd": command, "params": parameters }));
    }

    fn post(&self, command: &str, body: &Value) -> Value {
        let answer = self.request("POST", &format!("/session/{}/{command}", self.session), body).expect("an answer");
        assert!(answer.get("error").is_none(), "{command}: {answer}");
        answer
    }

    /// The `value` of the answer; nothing where nobody answers.
    fn request(&self, method: &str, path: &str, body: &Value) -> Option<Value> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(120))).ok()?;
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost:{}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n",
            self.port
        );
        stream.write_all((head + &body).as_bytes()).ok()?;
        let mut answer = Vec::new();
        let mut buffer = [0; 1 << 16];
        // The server may leave the connection open: the length says where the answer ends.
        loop {
            let text = String::from_utf8_lossy(&answer).into_owned();
            if let Some((head, rest)) = text.split_once("\r\n\r\n") {
                let length = head
                    .to_ascii_lowercase()
                    .lines()
                    .find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok())?;
                if rest.len() >= length {
                    return serde_json::from_str::<Value>(rest).ok()?.get("value").cloned();
                }
            }
            let read = stream.read(&mut buffer).ok().filter(|read| *read > 0)?;
            answer.extend_from_slice(&buffer[..read]);
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.request("DELETE", &format!("/session/{}", self.session), &Value::Null);
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}
