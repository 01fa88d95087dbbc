//! Fetches the settings file from a server.

use dayfly_plan::settings::value::{UrlTemplate, Variables};
use dayfly_plan::{Code, Document, Fact, SettingsFile, Source, TransferLimits};
use dayfly_sys::{Cause, Limits, SysError};

use super::name;
use crate::context::{Context, Done};
use crate::steps::http;
use crate::{Failure, Learned};

/// Fetches it. The file has only a few KiB, so all of it must arrive before the step's deadline.
pub fn fetch(cx: &Context, template: &UrlTemplate, limits: TransferLimits) -> Result<Done, Failure> {
    let network = cx.known.network.as_ref();
    let variables = Variables {
        mac: network.and_then(|network| network.first.mac),
        hostname: name::given(cx).map(|(name, _)| name.to_string()),
        ..Variables::default()
    };
    let url = template
        .expand(&variables)
        .map_err(|wrong| Failure::new(Code::ConfigUrl, format!("fetch settings from {template}"), wrong))?;
    let tried = format!("GET {url}");
    let usual = http::limits(limits);
    let limits = Limits {
        connect: usual.connect.min(cx.left()),
        stall: usual.stall.min(cx.left()),
        within: Some(cx.left()),
        ..usual
    };
    let response =
        http::send(&*cx.sys, http::get(cx, &url, limits)).map_err(|error| from_connection(&tried, &error))?;
    let failed = |wrong: String| Failure::new(Code::ConfigAnswer, &*tried, wrong);
    if response.status != 200 {
        return Err(failed(http::refusal(&response)));
    }
    let bytes = http::receive(cx, response, Document::MOST).map_err(failed)?;
    let document =
        Document::from_bytes(bytes).map_err(|wrong| Failure::new(Code::ConfigFile, &*tried, wrong))?;
    let detail = format!("{} bytes from {url}", document.0.len());
    let file = SettingsFile { source: Source::Url { secure: template.is_secure() }, document };
    Ok(Done::with(detail).and(Learned::Fact(Fact::Settings(file))))
}

fn from_connection(tried: &str, error: &SysError) -> Failure {
    let code = match error.cause {
        Cause::Unsupported => Code::ConfigUrl,
        Cause::Protocol => Code::ConfigAnswer,
        Cause::Resolve | Cause::Tls | Cause::Connect | Cause::TimedOut | Cause::Errno(_) => Code::ConfigFetch,
    };
    Failure::from_sys(code, tried, error)
}
