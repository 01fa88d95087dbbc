//! What came of this boot, for those who were not there: boot.json to a server, and a history on the node's own disk.

use std::time::Duration;

use dayfly_plan::settings::value::Url;
use dayfly_plan::{Code, paths};
use dayfly_sys::{FileKind, Limits, Request, Sys, SysError, TreePath};

use crate::Failure;
use crate::context::{Context, Done};
use crate::events::Report;
use crate::steps::http;
use crate::trees::{OS, STATE};

/// How long the sinks may take for the report's text.
const TEXT: Duration = Duration::from_secs(2);
/// How many boots a node remembers.
const KEPT: usize = 20;
/// The last number that a file's name has room for.
const LAST: u32 = 999_999;

/// Sends boot.json, as far as it is known now, to a server, in the time that the step has.
pub fn send(cx: &Context, url: &Url) -> Result<Done, Failure> {
    let report = cx.events.report("handover", TEXT.min(cx.left())).ok_or_else(|| unavailable(url))?;
    post(&*cx.sys, url, &report, cx.left())
}

/// The same for a boot that has failed, without a step to do it in.
pub fn post(sys: &dyn Sys, url: &Url, report: &Report, wait: Duration) -> Result<Done, Failure> {
    let tried = format!("POST boot.json to {url}");
    let (json, limits) = (report.json.clone(), Limits::within(wait));
    let request = Request::post(url.to_string(), "application/json", json, limits, http::authorities());
    match sys.send(&request).map(|answer| answer.status) {
        Ok(200..=299) => {
            Ok(Done { bytes: Some(report.json.len() as u64), ..Done::with(format!("{url} has it")) })
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

/// Keeps boot.json and boot.log among those of earlier boots in the OS's /var/log.
pub fn keep(cx: &Context) -> Result<Done, Failure> {
    // The folder itself, wherever /var/log is: what a symlink in its place leads to is no record's place.
    let parent = cx.sys.resolve(&OS.at(paths::HISTORY).parent());
    let tried = || format!("keep boot.json in {}", paths::HISTORY);
    let parent = parent.map_err(|error| Failure::from_sys(Code::NodeWrite, tried(), &error))?;
    let folder = parent.join(OS.at(paths::HISTORY).file_name().unwrap_or_default()).without_links();
    let Some(report) = cx.events.report("handover", TEXT) else {
        return Err(Failure::new(Code::NodeWrite, "keep boot.json", "the log's thread did not answer"));
    };
    store(&*cx.sys, &folder, &report)
}

/// The same for a boot that has failed: on the state disk, where that is mounted and has the folder.
pub fn keep_failure(sys: &dyn Sys, report: &Report) -> Option<Result<Done, Failure>> {
    let var = STATE.at("var");
    // Without a state disk, or before the node's first good boot, there is nowhere to keep it.
    let is_there = matches!(sys.inspect(&var), Ok(Some(FileKind::Dir)));
    is_there.then(|| store(sys, &var.join("log/dayfly"), report))
}

fn store(sys: &dyn Sys, folder: &TreePath, report: &Report) -> Result<Done, Failure> {
    let tried = || format!("keep the boot's record in {folder}");
    let failed = |error| Failure::from_sys(Code::NodeWrite, tried(), &error);
    sys.make_dir(folder, 0o755).map_err(failed)?;
    let mut numbers: Vec<u32> =
        sys.list(folder).map_err(failed)?.iter().filter_map(|entry| number(&entry.name)).collect();
    numbers.sort_unstable();
    // The clock may start in 1970 at every boot, a number cannot. No node comes to the last one by booting: somebody put
    // it there, and all after it would have one name.
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
