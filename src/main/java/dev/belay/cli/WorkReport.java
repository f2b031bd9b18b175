package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.device.DevicePeaks;
import dev.belay.device.Work;
import java.util.Locale;

/** Work that the cost model predicts, in words and as JSON, alone or beside the time that it really took. */
record WorkReport(Work work, DevicePeaks peaks) {
    /** One line: what was done, how fast, and what had been predicted. */
    String measured(double seconds) {
        return String.format(
                Locale.ROOT,
                "%s in %.1f s: %s/s, %.0f %% of the peak of %s/s; predicted: at least %.1f s",
                flops(work.flops()),
                seconds,
                flops(work.flops() / seconds),
                100 * share(seconds),
                flops(peaks.flopsPerSecond()),
                work.seconds());
    }

    private double share(double seconds) {
        return work.flops() / seconds / peaks.flopsPerSecond();
    }

    /** The prediction. */
    ObjectNode json() {
        ObjectNode json = Output.object();
        json.put("flops", Math.round(work.flops())).put("bytes", Math.round(work.bytes()));
        json.put("memory_bytes", work.memory()).put("predicted_seconds", work.seconds());
        json.put("peak_gflop_s", peaks.flopsPerSecond() / 1e9).put("peak_gb_s", peaks.bytesPerSecond() / 1e9);
        return json;
    }

    /** The prediction and what was measured. */
    ObjectNode json(double seconds) {
        ObjectNode json = json();
        json.put("seconds", seconds).put("gflop_s", work.flops() / seconds / 1e9);
        json.put("peak_share", share(seconds));
        return json;
    }

    /** A number of operations, for example 1.50 TFLOP. */
    static String flops(double flops) {
        return flops < 1e12
                ? String.format(Locale.ROOT, "%.3g GFLOP", flops / 1e9)
                : String.format(Locale.ROOT, "%.2f TFLOP", flops / 1e12);
    }

    /** A number of bytes moved, for example 1.50 TB. */
    static String moved(double bytes) {
        return bytes < 1e12
                ? String.format(Locale.ROOT, "%.3g GB", bytes / 1e9)
                : String.format(Locale.ROOT, "%.2f TB", bytes / 1e12);
    }
}
