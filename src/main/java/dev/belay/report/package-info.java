/**
 * What a run leaves behind for people and scripts: one self-contained HTML page with its manifest.
 *
 * <p>{@link dev.belay.report.RunReport} and the records it is made of hold plain numbers and text and depend on no other
 * room, so that data flows one way: a command fills a {@code RunReport}, {@link dev.belay.report.HtmlReport} turns it into
 * a page. The page loads nothing: styles and the script that sorts a
 * {@link dev.belay.report.DataTable} are inline, plots are SVG written by {@link dev.belay.report.CliffPlot},
 * {@link dev.belay.report.HeatMapPlot} and {@link dev.belay.report.BarPlot}, colours follow the reader's light or dark
 * setting, and the same report always gives the same bytes.
 *
 * <p>{@link dev.belay.report.RunManifest} records what was run, on what, with which options and how long it took, and the
 * SHA-256 of every file it wrote; {@link dev.belay.report.Timings} measures the phases.
 */
package dev.belay.report;
