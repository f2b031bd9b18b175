package dev.belay.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
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

    private static RopeScaling read(String json) throws JsonProcessingException {
        return RopeScaling.of(new ObjectMapper().readTree(json.replace('\'', '"')), FILE);
    }

    @Test
    void readsEachKindInBothSpellings() throws JsonProcessingException {
        assertEquals(RopeScaling.NONE, RopeScaling.of(null, FILE));
        assertEquals(RopeScaling.NONE, read("{'rope_theta': 10000.0}"));
        assertEquals(RopeScaling.NONE, read("{'rope_type': 'default'}"));
        RopeScaling linear = new RopeScaling(RopeScaling.Kind.LINEAR, 4, 1, 1, 1);
        assertEquals(linear, read("{'type': 'linear', 'factor': 4.0}"));
        assertEquals(linear, read("{'rope_type': 'linear', 'type': 'dynamic', 'factor': 4}"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{'rope_type': 'yarn'} | rope type 'yarn' is not supported; known are default, linear, llama3",
                "{'type': 'dynamic'} | rope type 'dynamic' is not supported; known are default, linear, llama3",
                "{'type': 'linear'} | rope settings need a positive number 'factor', has null",
                "{'type': 'linear', 'factor': '4'} | rope settings need a positive number 'factor', has '4'",
                "{'type': 'linear', 'factor': 0} | rope settings need a positive number 'factor', has 0",
                "{'rope_type': 'llama3', 'factor': 8, 'low_freq_factor': 1, 'high_freq_factor': 4}"
                        + " | rope settings need a positive number 'original_max_position_embeddings', has null"
            },
            quoteCharacter = '~')
    void refuses(String json, String reason) {
        String message = assertThrows(BelayException.class, () -> read(json)).getMessage();
        assertEquals("config.json: " + reason, message.replace('"', '\''));
    }

    @Test
    void linearDividesEveryFrequency() throws JsonProcessingException {
        assertEquals(0.25, read("{'type': 'linear', 'factor': 4}").scale(1));
    }

    /**
     * factor 8, low 1, high 4, 64 positions: wavelengths below 16 stay, above 64 are divided by 8, those between are blended by
     * (64/λ − 1) / 3. The two ends meet.
     */
    @Test
    void llama3KeepsShortWavesAndStretchesLongOnes() {
        RopeScaling scaling =
                ModelConfig.read(Golden.path("families/llama31-rope")).ropeScaling();
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
