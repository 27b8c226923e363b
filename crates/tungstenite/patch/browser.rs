//! Chromium, headless, led by chromiumoxide over a WebSocket, whichever tungstenite is below it.
//! `CHROMIUM` says where it is.

use std::env;
use std::error::Error;
use std::path::Path;

use chromiumoxide::page::ScreenshotParams;
use chromiumoxide::{Browser, BrowserConfig};
use futures_util::StreamExt;

const PAGE: &str = "data:text/html;charset=utf-8,<title>Grüezi</title><h1>A page</h1>";
const WIDTH: u32 = 640;
const HEIGHT: u32 = 480;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn opens_a_page_evaluates_and_takes_a_screenshot() -> Result<(), Box<dyn Error>> {
    let profile =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("profile-{}", std::process::id()));
    let config = BrowserConfig::builder()
        .chrome_executable(env::var("CHROMIUM")?)
        .user_data_dir(&profile)
        .no_sandbox()
        .window_size(WIDTH, HEIGHT)
        .viewport(chromiumoxide::handler::viewport::Viewport {
            width: WIDTH,
            height: HEIGHT,
            ..Default::default()
        })
        .build()?;
    let (mut browser, mut handler) = Browser::launch(config).await?;
    let events = tokio::spawn(async move { while handler.next().await.is_some() {} });

    let page = browser.new_page(PAGE).await?;
    page.wait_for_navigation().await?;
    assert_eq!(page.get_title().await?.as_deref(), Some("Grüezi"));
    assert_eq!(page.evaluate("6 * 7").await?.into_value::<u32>()?, 42);

    // Large messages in both directions.
    let there = "ü".repeat(1 << 19);
    let back: String = page
        .evaluate(format!("'{there}'.replaceAll('ü', 'ö')"))
        .await?
        .into_value()?;
    assert!(back == "ö".repeat(1 << 19));

    let picture = page.screenshot(ScreenshotParams::default()).await?;
    assert_eq!(picture[..8], *b"\x89PNG\r\n\x1a\n");
    assert_eq!(picture[12..16], *b"IHDR");
    assert_eq!(picture[16..20], WIDTH.to_be_bytes());
    assert_eq!(picture[20..24], HEIGHT.to_be_bytes());
    assert_eq!(picture[picture.len() - 8..picture.len() - 4], *b"IEND");

    browser.close().await?;
    browser.wait().await?;
    events.await?;
    std::fs::remove_dir_all(profile)?;
    Ok(())
}
