/**
 * Published prompt files as transcripts, and files of questions with choices. {@link dev.belay.dataset.Records} reads CSV, TSV, JSON,
 * JSON Lines and Parquet record by record; {@link dev.belay.dataset.DatasetFormat} knows what the columns of known files mean,
 * {@link dev.belay.dataset.ColumnMap} those that a user names; {@link dev.belay.dataset.DatasetImport} puts them together, and
 * {@link dev.belay.dataset.ChoiceTask} reads questions.
 */
package dev.belay.dataset;
