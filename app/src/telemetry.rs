//! The log and the metrics of the process.

use crate::settings::{LogFormat, LogSection, SettingsError};
use bus::Bus;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use std::{path::PathBuf, sync::Mutex, sync::PoisonError};
use tracing_subscriber::EnvFilter;

/// A recorder is the process's; tests start several programs in one.
static RECORDER: Mutex<Option<PrometheusHandle>> = Mutex::new(None);

/// What is never logged.
const NEVER: &str = "lapin::returned_messages=off";

/// Starts the log; once per process, a second time changes nothing.
///
/// # Errors
/// [`SettingsError`] for a level that is none.
pub(crate) fn start_log(settings: &LogSection) -> Result<(), SettingsError> {
    let filter = filter(&settings.level)?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    drop(match settings.format {
        LogFormat::Text => log.with_ansi(false).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    });
    Ok(())
}

/// What is logged. Whatever the settings say, not what RabbitMQ's client says of messages that come back: all that is in
/// them, passwords included.
fn filter(level: &str) -> Result<EnvFilter, SettingsError> {
    let wrong = |error| SettingsError::Invalid(format!("log.level: {error}"));
    let filter = EnvFilter::builder().parse(level).map_err(wrong)?;
    Ok(filter.add_directive(NEVER.parse().map_err(wrong)?))
}

/// What `/metrics` shows.
#[derive(Clone)]
pub(crate) struct Metrics {
    handle: PrometheusHandle,
    data_dir: PathBuf,
}

/// Starts the metrics; once per process.
///
/// # Errors
/// Where another recorder is installed already.
pub(crate) fn start_metrics(data_dir: PathBuf) -> Result<Metrics, BuildError> {
    let mut recorder = RECORDER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(handle) = &*recorder {
        return Ok(Metrics { handle: handle.clone(), data_dir });
    }
    let seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
    let sizes = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0];
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &seconds)?
        .set_buckets_for_metric(Matcher::Suffix("_size".into()), &sizes)?
        .install_recorder()?;
    *recorder = Some(handle.clone());
    Ok(Metrics { handle, data_dir })
}

impl Metrics {
    /// The metrics, with the figures that are read at this moment.
    pub(crate) fn render(&self, bus: &Bus) -> String {
        for port in bus.status() {
            metrics::gauge!("bus_calls_in_flight", "port" => port.port.clone()).set(figure(port.in_flight));
            metrics::gauge!("bus_calls_waiting", "port" => port.port.clone()).set(figure(port.waiting));
            metrics::gauge!("bus_calls_limit", "port" => port.port).set(figure(port.concurrency));
        }
        if let Some(resident) = resident_bytes() {
            metrics::gauge!("process_resident_memory_bytes").set(resident);
        }
        self.note_logs();
        self.handle.run_upkeep();
        self.handle.render()
    }

    /// The write-ahead logs of SQLite: one that grows without end has a reader that does not end (B25).
    fn note_logs(&self) {
        let files = std::fs::read_dir(&self.data_dir).into_iter().flatten().flatten();
        for file in files {
            let name = file.file_name().to_string_lossy().into_owned();
            if let (Some(database), Ok(about)) = (name.strip_suffix(".db-wal"), file.metadata()) {
                let bytes = u32::try_from(about.len()).map_or(f64::INFINITY, f64::from);
                metrics::gauge!("sqlite_wal_bytes", "database" => database.to_owned()).set(bytes);
            }
        }
    }
}

fn figure(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

/// Resident memory; Linux only.
fn resident_bytes() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kib| kib * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Section 5.12: no level brings a secret into the log.
    #[test]
    fn no_level_logs_what_a_broker_sends_back() {
        for level in ["info", "trace", "lapin=trace", "info,lapin::returned_messages=trace"] {
            let filter = filter(level).expect(level).to_string();
            assert!(
                filter.contains(NEVER) && !filter.contains("returned_messages=trace"),
                "{level}: {filter}"
            );
        }
        assert!(filter("loud,=").is_err(), "a level that is none is refused");
    }
}
