package dev.belay.cli;

import static dev.belay.weights.TensorType.BF16;
import static dev.belay.weights.TensorType.F32;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.belay.probe.LinearProbe;
import dev.belay.weights.SafetensorsWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

/** {@code belay probe import}. The NumPy files are those that numpy 2 writes. */
class ProbeImportTest {
    /** [1.5, -2, 0.25] as float32 [3], version 1. */
    private static final String F32_ROW =
            "k05VTVBZAQB2AHsnZGVzY3InOiAnPGY0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDMsKSwgfSAg"
                    + "ICAg".repeat(19) + "IAoAAMA/AAAAwAAAgD4=";
    /** The same as float64 [1, 3]. */
    private static final String F64_ROW =
            "k05VTVBZAQB2AHsnZGVzY3InOiAnPGY4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDEsIDMpLCB9"
                    + "ICAg".repeat(19) + "IAoAAAAAAAD4PwAAAAAAAADAAAAAAAAA0D8=";
    /** The same as float16 [3, 1], version 2. */
    private static final String F16_COLUMN =
            "k05VTVBZAgB0AAAAeydkZXNjcic6ICc8ZjInLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUnOiAoMywgMSksIH0g"
                    + "ICAg".repeat(18) + "IAoAPgDAADQ=";
    /** [0.5] as float32, version 3. */
    private static final String BIAS =
            "k05VTVBZAwB0AAAAeydkZXNjcic6ICc8ZjQnLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUnOiAoMSwpLCB9"
                    + "ICAg".repeat(19) + "IAoAAAA/";
    /** [[1, 2], [3, 4]]. */
    private static final String SQUARE =
            "k05VTVBZAQB2AHsnZGVzY3InOiAnPGY0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsIDIpLCB9"
                    + "ICAg".repeat(19) + "IAoAAIA/AAAAQAAAQEAAAIBA";
    /** [1, 2] as big-endian float32. */
    private static final String BIG_ENDIAN =
            "k05VTVBZAQB2AHsnZGVzY3InOiAnPmY0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsKSwgfSAg"
                    + "ICAg".repeat(19) + "IAo/gAAAQAAAAA==";

    static final List<String> WEIGHTS = List.of(F32_ROW, F64_ROW, F16_COLUMN);

    @TempDir
    Path folder;

    private Path npy(String name, String base64) throws IOException {
        return Files.write(folder.resolve(name), Base64.getDecoder().decode(base64));
    }

    private Path output() {
        return folder.resolve("p.safetensors");
    }

    private void assertProbe(float bias, int layer) {
        LinearProbe probe = LinearProbe.load(output());
        assertArrayEquals(new float[] {1.5f, -2, 0.25f}, probe.weight());
        assertEquals(bias, probe.bias());
        assertEquals(layer, probe.layer());
    }

    @ParameterizedTest
    @FieldSource("WEIGHTS")
    void readsNumPyFiles(String weight) throws IOException {
        Path file = npy("w.npy", weight);
        Cli.run("probe import ? --layer 2 -o ?", file, output()).ok();
        assertProbe(0, 2);
        String out = Cli.run("probe import ? --bias ? --layer last -o ?", file, npy("b.npy", BIAS), output())
                .ok();
        assertProbe(0.5f, LinearProbe.LAST);
        assertEquals("probe of width 3 at H[last], |w| = 2.512, b = 0.5000\nwritten to " + output() + "\n", out);
    }

    @Test
    void readsSafetensorsOfOtherPrograms() {
        Path file = folder.resolve("head.safetensors");
        SafetensorsWriter.Declaration tensors = SafetensorsWriter.to(file)
                .tensor("linear.weight", BF16, 1, 3)
                .tensor("linear.bias", F32, 1)
                .tensor("other.weight", F32, 2, 3);
        try (SafetensorsWriter out = tensors.open()) {
            out.write("linear.weight", new float[] {1.5f, -2, 0.25f});
            out.write("linear.bias", new float[] {0.5f});
            out.write("other.weight", new float[6]);
        }
        Cli.run("probe import ? --layer 7 -o ?", file, output()).ok();
        assertProbe(0.5f, 7);
        Cli.run("probe import ? --layer 7 --weight other.weight -o ?", file, output())
                .failed(1, "head.safetensors", "other.weight", "one direction");
        Cli.run("probe import ? --layer 7 --weight none -o ?", file, output())
                .failed(1, "no tensor 'none'", "linear.weight");
        Cli.run("probe import ? --layer 7 --model ? -o ?", file, Cli.TINY, output())
                .failed(1, "width 3", "hidden size 256");
    }

    private Path tensors(String name, Object... namesTypesAndShapes) {
        Path file = folder.resolve(name);
        SafetensorsWriter.Declaration tensors = SafetensorsWriter.to(file);
        float[] values = {1.5f, -2, 0.25f};
        for (int i = 0; i < namesTypesAndShapes.length; i += 2) {
            tensors = tensors.tensor((String) namesTypesAndShapes[i], F32, (long[]) namesTypesAndShapes[i + 1]);
        }
        try (SafetensorsWriter out = tensors.open()) {
            for (int i = 0; i < namesTypesAndShapes.length; i += 2) {
                boolean vector = ((long[]) namesTypesAndShapes[i + 1]).length > 0;
                out.write((String) namesTypesAndShapes[i], vector ? values : new float[] {0.5f});
            }
        }
        return file;
    }

    @Test
    void refusesAWeightOfZeros() throws IOException {
        Path file = npy("zeros.npy", F32_ROW);
        byte[] bytes = Files.readAllBytes(file);
        Arrays.fill(bytes, bytes.length - 3 * Float.BYTES, bytes.length, (byte) 0);
        Files.write(file, bytes);
        Cli.run("probe import ? --layer 1 -o ?", file, output()).failed(1, file + ": the weight is all zeros");
    }

    @Test
    void neverTakesZeroWhereTheFileMayHoldABias() {
        long[] row = {1, 3};
        long[] scalar = {};
        Cli.run("probe import ? --layer 1 -o ?", tensors("s.safetensors", "weight", row, "bias", scalar), output())
                .ok();
        assertProbe(0.5f, 1);
        Cli.run("probe import ? --layer 1 -o ?", tensors("alone.safetensors", "weight", row), output())
                .ok();
        assertProbe(0, 1);
        Path two = tensors("two.safetensors", "a.weight", row, "b.weight", row, "b.bias", scalar);
        Cli.run("probe import ? --layer 1 -o ?", two, output()).failed(1, "more than one", "--weight");
        Cli.run("probe import ? --weight a.weight --layer 1 -o ?", two, output())
                .failed(1, "two.safetensors", "'a.bias'", "--bias 0");
        Cli.run("probe import ? --weight b.weight --layer 1 -o ?", two, output())
                .ok();
        assertProbe(0.5f, 1);
        Path other = tensors("sk.safetensors", "coef_", row, "intercept_", scalar);
        Cli.run("probe import ? --weight coef_ --layer 1 -o ?", other, output())
                .failed(1, "sk.safetensors", "intercept_", "--bias");
        Cli.run("probe import ? --weight coef_ --bias intercept_ --layer 1 -o ?", other, output())
                .ok();
        assertProbe(0.5f, 1);
        Cli.run("probe import ? --weight coef_ --bias=-2.5e-1 --layer 1 -o ?", other, output())
                .ok();
        assertProbe(-0.25f, 1);
        Cli.run("probe import ? --layer 1 -o ?", tensors("v.safetensors", "weight", row, "bias", row), output())
                .failed(1, "v.safetensors", "[1, 3]", "one floating-point number");
    }

    /** A weight may lie across, as that of a linear map that is applied from the right. */
    @Test
    void readsColumns() {
        long[] column = {3, 1};
        Path file = tensors("column.safetensors", "weight", column, "bias", new long[0]);
        Cli.run("probe import ? --layer 1 -o ?", file, output()).ok();
        assertProbe(0.5f, 1);
        Cli.run("probe import ? --weight weight --bias 1 --layer 1 -o ?", file, output())
                .ok();
        assertProbe(1, 1);
    }

    @Test
    void saysHowAHeadOfTwoClassesBecomesAProbe() throws IOException {
        Path file = folder.resolve("head.safetensors");
        try (SafetensorsWriter out = SafetensorsWriter.to(file)
                .tensor("score.weight", F32, 2, 3)
                .tensor("score.bias", F32, 2)
                .open()) {
            out.write("score.weight", new float[6]);
            out.write("score.bias", new float[2]);
        }
        String advice = "save weight[1] - weight[0], and bias[1] - bias[0]";
        Cli.run("probe import ? --layer 1 -o ?", file, output()).failed(1, "head.safetensors", "[2, 3]", advice);
        Cli.run("probe import ? --weight score.weight --layer 1 -o ?", file, output())
                .failed(1, "head.safetensors", "[2, 3]", advice);
        Cli.run("probe import ? --layer 1 -o ?", npy("s.npy", SQUARE), output()).failed(1, "s.npy", "(2, 2)", advice);
    }

    @Test
    void saysWhatIsWrongWithAFile() throws IOException {
        Cli.run("probe import ? --layer 1 -o ?", npy("s.npy", SQUARE), output())
                .failed(1, "s.npy", "(2, 2)", "no vector");
        Cli.run("probe import ? --layer 1 -o ?", npy("b.npy", BIG_ENDIAN), output())
                .failed(1, "b.npy", ">f4");
        byte[] whole = Base64.getDecoder().decode(F32_ROW);
        Path half = Files.write(folder.resolve("h.npy"), Arrays.copyOf(whole, whole.length - 4));
        Cli.run("probe import ? --layer 1 -o ?", half, output()).failed(1, "h.npy", "8 bytes", "is it whole?");
        Path empty = Files.write(folder.resolve("e.npy"), new byte[0]);
        Cli.run("probe import ? --layer 1 -o ?", empty, output()).failed(1, "e.npy", "no NumPy array file");
        Path torch = Files.write(folder.resolve("probe.pt"), new byte[9]);
        Cli.run("probe import ? --layer 1 -o ?", torch, output()).failed(1, "probe.pt", "PyTorch", "safetensors");
        Path renamed = Cli.write(folder.resolve("r.safetensors"), "PK\3\4 and the rest of an archive");
        Cli.run("probe import ? --layer 1 -o ?", renamed, output()).failed(1, "r.safetensors", "PyTorch", "save_file");
        Path weight = npy("w.npy", F32_ROW);
        Cli.run("probe import ? --bias ? --layer 1 -o ?", weight, weight, output())
                .failed(1, "3 numbers");
        Cli.run("probe import ? --weight w --layer 1 -o ?", weight, output()).failed(1, "w.npy", "--weight");
        Cli.run("probe import ? --bias 0.5 --layer 1 -o ?", weight, output()).ok();
        assertProbe(0.5f, 1);
        Path archive = Files.write(folder.resolve("p.npz"), new byte[9]);
        Cli.run("probe import ? --layer 1 -o ?", archive, output()).failed(1, "p.npz", "several arrays");
        Cli.run("probe import ? --layer x -o ?", weight, output()).failed(2, "--layer", "'x'");
        Cli.run("probe import ? -o ?", weight, output()).failed(2, "--layer");
        Cli.run("probe import ? --layer 1 -o ?", folder.resolve("none.npy"), output())
                .failed(1, "none.npy", "no such file");
    }
}
