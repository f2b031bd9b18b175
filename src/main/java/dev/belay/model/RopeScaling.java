package dev.belay.model;

import com.fasterxml.jackson.databind.JsonNode;
import dev.belay.BelayException;
import java.nio.file.Path;

/**
 * How rotary frequencies are stretched for long contexts.
 *
 * <p>{@code llama3} (Llama 3.1): with wavelength λ = 2π/f, frequencies with λ below {@code originalPositions / highFrequency} stay,
 * those above {@code originalPositions / lowFrequency} are divided by {@code factor}, those between are blended linearly.
 */
public record RopeScaling(Kind kind, double factor, double lowFrequency, double highFrequency, int originalPositions) {
    /** The known ways. */
    public enum Kind {
        NONE,
        LINEAR,
        LLAMA3
    }

    /** No scaling. */
    public static final RopeScaling NONE = new RopeScaling(Kind.NONE, 1, 1, 1, 1);

    /**
     * Reads {@code rope_scaling} or {@code rope_parameters}.
     *
     * @throws BelayException if the type is not known or a number is missing
     */
    static RopeScaling of(JsonNode node, Path file) {
        if (node == null) {
            return NONE;
        }
        JsonNode named = node.hasNonNull("rope_type") ? node.get("rope_type") : node.get("type");
        String type = named == null || named.isNull() ? "default" : named.asText();
        return switch (type) {
            case "default" -> NONE;
            case "linear" -> new RopeScaling(Kind.LINEAR, number(node, "factor", file), 1, 1, 1);
            case "llama3" ->
                new RopeScaling(
                        Kind.LLAMA3,
                        number(node, "factor", file),
                        number(node, "low_freq_factor", file),
                        number(node, "high_freq_factor", file),
                        (int) number(node, "original_max_position_embeddings", file));
            default ->
                throw new BelayException(
                        file + ": rope type '" + type + "' is not supported; known are default, linear, llama3");
        };
    }

    /** A positive number of rope settings. */
    static double number(JsonNode node, String key, Path file) {
        JsonNode value = node.get(key);
        if (value == null || !value.isNumber() || value.doubleValue() <= 0) {
            throw new BelayException(file + ": rope settings need a positive number '" + key + "', has " + value);
        }
        return value.doubleValue();
    }

    /** The scaled form of frequency {@code f} (radians per position). */
    double scale(double f) {
        return switch (kind) {
            case NONE -> f;
            case LINEAR -> f / factor;
            case LLAMA3 -> {
                double wavelength = 2 * Math.PI / f;
                if (wavelength < originalPositions / highFrequency) {
                    yield f;
                }
                if (wavelength > originalPositions / lowFrequency) {
                    yield f / factor;
                }
                double blend = (originalPositions / wavelength - lowFrequency) / (highFrequency - lowFrequency);
                yield (1 - blend) * f / factor + blend * f;
            }
        };
    }
}
