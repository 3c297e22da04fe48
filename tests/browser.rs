//! A real Chromium without a window, driven as its users would be through `chromedriver`.
//!
//! Both come from the machine, from `.tools/chromium` where `scripts/setup --with-tests` has put them, or
//! from where `CHROMIUM` and `CHROMEDRIVER` say.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

/// How long a page is given to become what a test expects.
const PATIENCE: Duration = Duration::from_mins(1);

/// How a browser is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// A window of a desktop, dark text on light.
    Light,
    /// The same in dark.
    Dark,
    /// A phone, 360 pixels wide.
    Phone,
}

/// A browser with one page. It ends with the test.
pub struct Browser {
    client: Client,
    driver: Child,
    profile: tempfile::TempDir,
}

impl Browser {
    /// Starts one.
    ///
    /// # Panics
    ///
    /// If there is no Chromium or no chromedriver, saying how to get them.
    pub async fn start(look: Look) -> Self {
        let (chromium, driver) =
            (program("CHROMIUM", "chromium"), program("CHROMEDRIVER", "chromedriver"));
        let mut driver = Command::new(driver)
            .args(["--port=0", "--log-level=SEVERE"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts");
        let port = port_of(&mut driver);
        let profile = tempfile::tempdir().expect("a temporary folder");
        let mut args = vec![
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-quic".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--no-first-run".to_owned(),
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-sync".to_owned(),
            "--hide-scrollbars".to_owned(),
            "--window-size=1280,900".to_owned(),
            format!("--user-data-dir={}", profile.path().display()),
        ];
        if look == Look::Dark {
            args.push("--force-dark-mode".to_owned());
        }
        let mut options = json!({ "binary": chromium, "args": args });
        if look == Look::Phone {
            options["mobileEmulation"] =
                json!({ "deviceMetrics": { "width": 360, "height": 760, "pixelRatio": 2.0 } });
        }
        let Value::Object(capabilities) = json!({ "goog:chromeOptions": options }) else {
            unreachable!("an object")
        };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("chromedriver starts Chromium");
        Self { client, driver, profile }
    }

    /// Opens an address and waits until the page is there.
    ///
    /// # Panics
    ///
    /// If the browser does not.
    pub async fn open(&self, url: &str) {
        self.client.goto(url).await.expect("opens");
    }

    /// The address of the page.
    ///
    /// # Panics
    ///
    /// If the browser does not say.
    pub async fn address(&self) -> String {
        self.client.current_url().await.expect("says where it is").to_string()
    }

    /// What a script in the page returns.
    ///
    /// # Panics
    ///
    /// If it throws.
    pub async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.expect(script)
    }

    /// Waits until an expression is true in the page.
    ///
    /// # Panics
    ///
    /// If it is not within a minute; with what the page says then.
    pub async fn until(&self, expression: &str) {
        let deadline = Instant::now() + PATIENCE;
        while self.run(&format!("return Boolean({expression})")).await != json!(true) {
            if Instant::now() > deadline {
                let text = self.run("return document.body.innerText").await;
                panic!("never was {expression} at {}:\n{text}", self.address().await);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Clicks what a CSS selector finds first.
    ///
    /// # Panics
    ///
    /// If there is nothing to click.
    pub async fn click(&self, css: &str) {
        let found = self.client.find(Locator::Css(css)).await.expect(css);
        found.click().await.expect(css);
    }

    /// Types into what a CSS selector finds first; `\n` is the enter key.
    ///
    /// # Panics
    ///
    /// If there is nothing to type into.
    pub async fn type_into(&self, css: &str, text: &str) {
        let keys = text.replace('\n', "\u{e007}");
        let found = self.client.find(Locator::Css(css)).await.expect(css);
        found.send_keys(&keys).await.expect(css);
    }

    /// Types wherever the page's focus is.
    ///
    /// # Panics
    ///
    /// If the page takes no keys.
    pub async fn press(&self, keys: &str) {
        let at = self.client.active_element().await.expect("something has the focus");
        at.send_keys(keys).await.expect("takes keys");
    }

    /// Keeps a picture of the page in `target/dashboard`, for people to look at.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub async fn photograph(&self, name: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/dashboard");
        std::fs::create_dir_all(&folder).expect("makes a folder");
        let picture = self.client.screenshot().await.expect("a picture");
        std::fs::write(folder.join(format!("{name}.png")), picture).expect("writes");
    }

    /// Ends it.
    ///
    /// # Panics
    ///
    /// If it does not end in order.
    pub async fn close(mut self) {
        self.client.clone().close().await.expect("closes");
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Chromium ends with its driver; its profile is a folder that vanishes.
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        let _ = self.profile.path();
    }
}

/// The port that chromedriver has chosen, as it says.
fn port_of(driver: &mut Child) -> u16 {
    let output = driver.stdout.take().expect("is piped");
    let mut lines = BufReader::new(output).lines().map_while(Result::ok);
    let port = lines.find_map(|line| {
        line.split_once("started successfully on port ")?.1.trim_end_matches('.').parse().ok()
    });
    port.expect("chromedriver says its port")
}

fn program(variable: &str, name: &str) -> PathBuf {
    if let Some(path) = std::env::var_os(variable) {
        return path.into();
    }
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/chromium/bin").join(name);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::iter::once(own).chain(std::env::split_paths(&path).map(|dir| dir.join(name)));
    let found = places.into_iter().find(|place| place.is_file());
    found.unwrap_or_else(|| panic!("there is no {name}: `scripts/setup --with-tests` fetches it"))
}
