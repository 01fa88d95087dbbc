//! Reports the boot: sends boot.json to a server, and keeps a history on the node's own disk.

use std::time::Duration;

use dayfly_plan::settings::value::Url;
use dayfly_plan::{Code, paths};
use dayfly_sys::{FileKind, Limits, Request, Sys, SysError, TreePath};

use crate::Failure;
use crate::context::{Context, Done};
use crate::events::Report;
use crate::steps::http;
use crate::trees::{OS, STATE};

/// Time limit for the sinks to write the report.
const TEXT: Duration = Duration::from_secs(2);
/// The number of boots in the history.
const KEPT: usize = 20;
/// The highest number that fits into a file name.
const LAST: u32 = 999_999;

/// Sends the current boot.json to a server, within the step's deadline.
pub fn send(cx: &Context, url: &Url) -> Result<Done, Failure> {
    let report = cx.events.report("handover", TEXT.min(cx.left())).ok_or_else(|| unavailable(url))?;
    post(&*cx.sys, url, &report, cx.left())
}

/// The same for a failed boot, outside of a step.
pub fn post(sys: &dyn Sys, url: &Url, report: &Report, wait: Duration) -> Result<Done, Failure> {
    let tried = format!("POST boot.json to {url}");
    let (json, limits) = (report.json.clone(), Limits::within(wait));
    let request = Request::post(url.to_string(), "application/json", json, limits, http::authorities());
    match http::send(sys, request).map(|answer| answer.status) {
        Ok(200..=299) => {
            Ok(Done { bytes: Some(report.json.len() as u64), ..Done::with(format!("sent to {url}")) })
        }
        Ok(status) => {
            Err(Failure::new(Code::ReportRefused, tried, format!("the server answered HTTP {status}")))
        }
        Err(error) => Err(Failure::from_sys(Code::ReportRefused, tried, &error)),
    }
}

fn unavailable(url: &Url) -> Failure {
    Failure::new(
        Code::ReportRefused,
        format!("POST boot.json to {url}"),
        "the log's thread did not answer: its consoles may be stuck",
    )
}

/// Adds boot.json and boot.log to the history in the OS's /var/log.
pub fn keep(cx: &Context) -> Result<Done, Failure> {
    // Resolve only the parent: /var/log may be a symlink, but the history directory itself must not be one, because it
    // could lead elsewhere.
    let parent = cx.sys.resolve(&OS.at(paths::HISTORY).parent());
    let tried = || format!("store boot.json in {}", paths::HISTORY);
    let parent = parent.map_err(|error| Failure::from_sys(Code::NodeWrite, tried(), &error))?;
    let folder = parent.join(OS.at(paths::HISTORY).file_name().unwrap_or_default()).without_links();
    let Some(report) = cx.events.report("handover", TEXT) else {
        return Err(Failure::new(Code::NodeWrite, "store boot.json", "the log's thread did not answer"));
    };
    store(&*cx.sys, &folder, &report)
}

/// The same for a failed boot: on the state disk, if it is mounted and has the directory.
pub fn keep_failure(sys: &dyn Sys, report: &Report) -> Option<Result<Done, Failure>> {
    let var = STATE.at("var");
    // Without a state disk, or before the node's first successful boot, the directory does not exist.
    let is_there = matches!(sys.inspect(&var), Ok(Some(FileKind::Dir)));
    is_there.then(|| store(sys, &var.join("log/dayfly"), report))
}

fn store(sys: &dyn Sys, folder: &TreePath, report: &Report) -> Result<Done, Failure> {
    let tried = || format!("store the boot's record in {folder}");
    let failed = |error| Failure::from_sys(Code::NodeWrite, tried(), &error);
    sys.make_dir(folder, 0o755).map_err(failed)?;
    let mut numbers: Vec<u32> =
        sys.list(folder).map_err(failed)?.iter().filter_map(|entry| number(&entry.name)).collect();
    numbers.sort_unstable();
    // Files are numbered, because the clock may start in 1970 at every boot. A node cannot reach the last number by
    // booting, so someone created that file. All records are removed then, because otherwise all later ones would get
    // the same name.
    if numbers.last() == Some(&LAST) {
        for number in std::mem::take(&mut numbers) {
            remove(sys, folder, number).map_err(failed)?;
        }
    }
    let next = numbers.last().map_or(1, |last| last + 1);
    for (extension, bytes) in [("json", report.json.as_slice()), ("log", report.log.as_bytes())] {
        sys.write(&folder.join(format!("{next:06}.{extension}")), bytes, 0o644).map_err(failed)?;
    }
    let surplus = (numbers.len() + 1).saturating_sub(KEPT);
    for old in numbers.iter().take(surplus) {
        remove(sys, folder, *old).map_err(failed)?;
    }
    Ok(Done::with(format!("{}/{next:06}.json", paths::HISTORY)))
}

fn remove(sys: &dyn Sys, folder: &TreePath, number: u32) -> Result<(), SysError> {
    ["json", "log"]
        .iter()
        .try_for_each(|extension| sys.remove_tree(&folder.join(format!("{number:06}.{extension}"))))
}

/// The number of a record's file name, `000042.json`.
fn number(name: &str) -> Option<u32> {
    name.strip_suffix(".json").filter(|digits| digits.len() == 6)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn only_our_own_files_are_counted_and_removed() {
        for (name, found) in
            [("000042.json", Some(42)), ("000042.log", None), ("42.json", None), ("notes.json", None)]
        {
            assert_eq!(number(name), found, "{name}");
        }
    }
}
