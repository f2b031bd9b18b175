package dev.belay.probe;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.BelayException;
import dev.belay.weights.SafetensorsWriter;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LinearProbeTest {
    @TempDir
    private Path folder;

    private Path path() {
        return folder.resolve("probe.safetensors");
    }

    private SafetensorsWriter.Declaration file() {
        return SafetensorsWriter.to(path());
    }

    private void assertRefused(String part) {
        assertMessage(part, () -> LinearProbe.load(path()));
    }

    private static void assertMessage(String part, Runnable action) {
        String message = assertThrows(BelayException.class, action::run).getMessage();
        assertTrue(message.contains(part), message);
    }

    @Test
    void scores() {
        LinearProbe probe = new LinearProbe(new float[] {2, -1}, 0.5f, LinearProbe.LAST, Map.of());
        assertEquals(-3.5, probe.logit(new float[] {9, -1, 2}, 1));
        assertEquals(0.0293122308, probe.score(new float[] {9, -1, 2}, 1), 1e-9);
        assertEquals(Math.sqrt(5), probe.norm());
        assertEquals(0, LinearProbe.sigmoid(-1e4));
        assertEquals(1, LinearProbe.sigmoid(1e4));
        assertEquals(0.5, LinearProbe.sigmoid(0));
    }

    @Test
    void roundTrip() {
        new LinearProbe(new float[] {2, -1}, 0.5f, 3, Map.of("model", "tiny", "layer", "9")).save(path());
        LinearProbe probe = LinearProbe.load(path());
        assertArrayEquals(new float[] {2, -1}, probe.weight());
        assertEquals(0.5f, probe.bias());
        assertEquals(3, probe.layer());
        assertEquals(Map.of("model", "tiny", "layer", "3"), probe.metadata());
        new LinearProbe(new float[] {2, -1}, 0.5f, LinearProbe.LAST, Map.of()).save(path());
        assertEquals(LinearProbe.LAST, LinearProbe.load(path()).layer());
        assertEquals(Map.of(), LinearProbe.load(path()).metadata());
    }

    @Test
    void readsTheWeightOfALinearLayer() {
        file().floats("weight", new float[] {1, 2, 3}, 1, 3)
                .floats("bias", new float[] {4}, 1)
                .save();
        assertEquals(3, LinearProbe.load(path()).width());
    }

    @Test
    void refusesOtherFiles() {
        file().floats("weight", new float[2], 2).save();
        assertRefused("is not a probe: it has no tensor \"bias\"");
        file().floats("weight", new float[4], 2, 2)
                .floats("bias", new float[1], 1)
                .save();
        assertRefused("weight F32 [2, 2]");
        file().floats("weight", new float[2], 2).floats("bias", new float[2], 2).save();
        assertRefused("bias F32 [2]");
        file().floats("weight", new float[0], 0).floats("bias", new float[1], 1).save();
        assertRefused("weight F32 [0]");
        file().floats("weight", new float[2], 2)
                .floats("bias", new float[1], 1)
                .floats("mean", new float[2], 2)
                .save();
        assertRefused("another tensor, mean F32 [2]");
        file().longs("weight", new long[2], 2).floats("bias", new float[1], 1).save();
        assertRefused("type I64");
        file().floats("weight", new float[] {1, Float.NaN}, 2)
                .floats("bias", new float[1], 1)
                .save();
        assertRefused("holds NaN");
        for (String layer : new String[] {"x", "-2", "1.5", ""}) {
            file().metadata(Map.of("layer", layer))
                    .floats("weight", new float[2], 2)
                    .floats("bias", new float[1], 1)
                    .save();
            assertRefused("metadata layer \"" + layer + "\"");
        }
    }

    @Test
    void checksTheModel() {
        LinearProbe probe = new LinearProbe(new float[2], 0, 3, Map.of());
        probe.checkWidth(2, path());
        assertMessage("has width 2, but the model has hidden size 4", () -> probe.checkWidth(4, path()));
        assertEquals(3, probe.layerIn(3, path()));
        assertMessage("hidden state 3, but the model has 2 layers", () -> probe.layerIn(2, path()));
        assertEquals(6, new LinearProbe(new float[2], 0, LinearProbe.LAST, Map.of()).layerIn(6, path()));
    }
}
