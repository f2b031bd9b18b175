package dev.belay.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.belay.BelayException;
import dev.belay.forward.Golden;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RopeScalingTest {
    private static final Path FILE = Path.of("config.json");
    private static final Family LLAMA = Family.of("LlamaForCausalLM", "").orElseThrow();

    private static RopeScaling read(String json) throws JsonProcessingException {
        return RopeScaling.of(new ObjectMapper().readTree(json.replace('\'', '"')), 256, 0, 8, LLAMA, FILE);
    }

    @Test
    void readsEachKindInBothSpellings() throws JsonProcessingException {
        assertEquals(RopeScaling.NONE, RopeScaling.of(null, 256, 0, 8, LLAMA, FILE));
        assertEquals(RopeScaling.NONE, read("{'rope_theta': 10000.0}"));
        assertEquals(RopeScaling.NONE, read("{'rope_type': 'default'}"));
        RopeScaling linear = new RopeScaling.Linear(4);
        assertEquals(linear, read("{'type': 'linear', 'factor': 4.0}"));
        assertEquals(linear, read("{'rope_type': 'linear', 'type': 'dynamic', 'factor': 4}"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{'rope_type': 'mrope'} | rope type 'mrope' is not supported;"
                        + " known are default, linear, dynamic, llama3, yarn, longrope",
                "{'type': 'dynamic'} | rope settings need a positive number 'factor', has null",
                "{'type': 'longrope', 'short_factor': [1, 1]}"
                        + " | rope settings need a list 'short_factor' of 4 numbers, half the rotary size, has 2 numbers",
                "{'type': 'longrope', 'short_factor': [1, 1, 1, -1]}"
                        + " | rope settings: 'short_factor' must hold positive numbers, has -1",
                "{'type': 'linear'} | rope settings need a positive number 'factor', has null",
                "{'type': 'linear', 'factor': '4'} | rope settings need a positive number 'factor', has '4'",
                "{'type': 'linear', 'factor': 0} | rope settings need a positive number 'factor', has 0",
                "{'rope_type': 'llama3', 'factor': 8, 'low_freq_factor': 1}"
                        + " | rope settings need a positive number 'high_freq_factor', has null"
            },
            quoteCharacter = '~')
    void refuses(String json, String reason) {
        String message = assertThrows(BelayException.class, () -> read(json)).getMessage();
        assertEquals("config.json: " + reason, message.replace('"', '\''));
    }

    @Test
    void linearDividesEveryFrequency() throws JsonProcessingException {
        // 1, 10^-1, 10^-2, 10^-3 for a base of 10,000 and a rotary size of 8.
        double[] expected = {0.25, 0.025, 0.0025, 0.00025};
        assertArrayEquals(expected, read("{'type': 'linear', 'factor': 4}").frequencies(1e4, 8, 1), 1e-15);
    }

    /** Up to 256 tokens nothing; 512 tokens and a factor of 2 stretch the base by (2 · 512 / 256 − 1)^(8 / 6). */
    @Test
    void dynamicStretchesTheBaseWithTheLength() throws JsonProcessingException {
        RopeScaling scaling = read("{'type': 'dynamic', 'factor': 2}");
        double[] plain = {1, 0.1, 0.01, 0.001};
        assertArrayEquals(plain, scaling.frequencies(1e4, 8, 256), 1e-15);
        // 3^(4/3) = 4.326749; the last frequency is divided by its 3/4th power, 3.
        assertEquals(0.001 / 3, scaling.frequencies(1e4, 8, 512)[3], 1e-15);
        assertEquals(0, scaling.variant(256));
        assertNotEquals(scaling.variant(512), scaling.variant(511));
    }

    /** Past the original length the other list counts, and the magnitude is √(1 + ln 4 / ln 64) whatever the length. */
    @Test
    void longRopeSwitchesWithTheLength() throws JsonProcessingException {
        RopeScaling scaling = read("{'type': 'longrope', 'short_factor': [1, 2, 4, 8], 'long_factor': [2, 2, 2, 2],"
                + " 'original_max_position_embeddings': 64}");
        assertArrayEquals(new double[] {1, 0.05, 0.0025, 0.000125}, scaling.frequencies(1e4, 8, 64), 1e-15);
        assertArrayEquals(new double[] {0.5, 0.05, 0.005, 0.0005}, scaling.frequencies(1e4, 8, 65), 1e-15);
        assertEquals(Math.sqrt(1 + 1 / 3.0), scaling.magnitude(), 1e-15);
    }

    /** The magnitude is 0.1 ln 4 + 1; the fastest frequency stays and the slowest is divided by 4. */
    @Test
    void yarnKeepsTheEnds() throws JsonProcessingException {
        RopeScaling scaling =
                read("{'type': 'yarn', 'factor': 4, 'original_max_position_embeddings': 64, 'beta_fast': 16}");
        assertEquals(1.1386294361119891, scaling.magnitude(), 1e-15);
        double[] frequencies = scaling.frequencies(1e4, 8, 1);
        assertEquals(1, frequencies[0], 1e-15);
        assertEquals(0.001 / 4, frequencies[3], 1e-15);
    }

    /** transformers 5.18 takes a 0 for these as if they were absent. */
    @Test
    void zerosOfYarnAreAsGoodAsNone() throws JsonProcessingException {
        String settings = "'type': 'yarn', 'factor': 4, 'original_max_position_embeddings': 64";
        assertEquals(
                read("{" + settings + "}"),
                read("{" + settings + ", 'mscale': 0, 'mscale_all_dim': 0.0, 'beta_fast': 0, 'beta_slow': 0}"));
    }

    /**
     * factor 8, low 1, high 4, 64 positions: wavelengths below 16 stay, above 64 are divided by 8, those between are blended by
     * (64/λ − 1) / 3. The two ends meet.
     */
    @Test
    void llama3KeepsShortWavesAndStretchesLongOnes() {
        RopeScaling.Llama3 scaling = (RopeScaling.Llama3)
                ModelConfig.read(Golden.path("families/llama31-rope")).rope().scaling();
        assertEquals(frequency(15.9), scaling.scale(frequency(15.9)));
        assertEquals(frequency(64.1) / 8, scaling.scale(frequency(64.1)));
        double middle = frequency(32);
        double blend = (2.0 - 1) / 3;
        assertEquals((1 - blend) * middle / 8 + blend * middle, scaling.scale(middle), 1e-15);
        assertEquals(frequency(16), scaling.scale(frequency(16.0001)), 1e-5);
        assertEquals(frequency(64) / 8, scaling.scale(frequency(63.9999)), 1e-5);
    }

    private static double frequency(double wavelength) {
        return 2 * Math.PI / wavelength;
    }
}
