//! The table of instances: which are at rest, which are on and why, as they were observed.

use std::fmt::Write;

use super::{SHORT, clock, html};
use crate::{
    overview::{Overview, ReportedInstance},
    prices::amount,
    ui::times,
};

pub(super) fn section(report: &Overview) -> String {
    let mut text = String::from("<section>\n<h2 id=instances>Instances</h2>\n");
    if report.instances.is_empty() {
        text += "<p>There are no notebook instances.</p>\n</section>\n";
        return text;
    }
    let _ = writeln!(
        text,
        "<p>As SageMaker showed them on {}. Amounts are estimates.</p>",
        clock(report, report.made, super::LONG)
    );
    text += "<div class=wide role=group aria-labelledby=instances tabindex=0>\n<table class=list>\n<thead>\n\
             <tr><th scope=col>Instance<th scope=col>Type<th scope=col>Observed<th scope=col class=n>USD an hour\
             <th scope=col class=n>USD so far<th scope=col>Why\n<tbody>\n";
    for instance in &report.instances {
        text += &line(report, instance);
    }
    text + "</table>\n</div>\n</section>\n"
}

fn line(report: &Overview, instance: &ReportedInstance) -> String {
    let (class, state) = if instance.is_on { (" class=r", "on") } else { ("", "at rest") };
    let since = instance.since.map(|since| {
        let length = times::duration(report.made - since);
        format!(" since {}, for {length}", clock(report, since, SHORT))
    });
    let unknown = || "not known".to_owned();
    let per_hour = instance.usd_per_hour.map_or_else(unknown, |usd| usd.to_string());
    let so_far = match (instance.is_on, instance.usd) {
        (false, _) => String::new(),
        (true, usd) => usd.map_or_else(unknown, amount),
    };
    format!(
        "<tr{class}><th scope=row>{}<td>{}<td><b>{state}</b> ({}){}<td class=n>{per_hour}<td class=n>{so_far}<td>{}\n",
        html::text(&instance.name),
        html::text(&instance.kind),
        html::text(&instance.status),
        since.unwrap_or_default(),
        html::text(&instance.why)
    )
}
