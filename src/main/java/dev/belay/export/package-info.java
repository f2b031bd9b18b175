/**
 * Results for other programs. {@link dev.belay.export.TraceFile} reads traces line by line, {@link dev.belay.export.TraceExport} writes
 * them as CSV, NumPy arrays or safetensors, {@link dev.belay.export.CaptureExport} captured states as NumPy arrays; nothing is held
 * in memory but one transcript. {@link dev.belay.export.TokenTable} is how token ids and texts lie beside numbers in safetensors.
 */
package dev.belay.export;
