package dev.belay.model;

import com.fasterxml.jackson.databind.JsonNode;
import dev.belay.BelayException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Reads the object {@code rope_scaling} or {@code rope_parameters} of a configuration. */
final class RopeSettings {
    private final JsonNode node;
    private final Family family;
    private final Path file;

    RopeSettings(JsonNode node, Family family, Path file) {
        this.node = node;
        this.family = family;
        this.file = file;
    }

    RopeScaling scaling(int positions, int original, int size) {
        int pretrained =
                original > 0 ? original : (int) number("original_max_position_embeddings", Double.valueOf(positions));
        String type = type();
        return switch (type) {
            case "default" -> RopeScaling.NONE;
            case "linear" -> new RopeScaling.Linear(number("factor", null));
            case "dynamic" -> dynamic(positions, size);
            case "llama3" ->
                new RopeScaling.Llama3(
                        number("factor", null),
                        number("low_freq_factor", null),
                        number("high_freq_factor", null),
                        pretrained);
            case "yarn" -> yarn(positions, pretrained);
            case "longrope", "su" -> longRope(positions, pretrained, size);
            default ->
                throw new BelayException(file + ": rope type '" + type
                        + "' is not supported; known are default, linear, dynamic, llama3, yarn, longrope");
        };
    }

    String type() {
        JsonNode named = node.hasNonNull("rope_type") ? node.get("rope_type") : node.get("type");
        String type = named == null || named.isNull() ? "default" : named.asText();
        return type.equals("yarn") && family.yarnIsLongRope() ? "longrope" : type;
    }

    private RopeScaling dynamic(int positions, int size) {
        if (size <= 2) {
            throw new BelayException(file + ": rope type 'dynamic' needs a rotary size above 2, has " + size);
        }
        return new RopeScaling.Dynamic(number("factor", null), positions);
    }

    private RopeScaling yarn(int positions, int original) {
        double factor = number("factor", (double) positions / original);
        double all = numberOrZero("mscale_all_dim", 0);
        double own = numberOrZero("mscale", 0);
        double magnitude =
                own > 0 && all > 0 ? yarnMagnitude(factor, own) / yarnMagnitude(factor, all) : yarnMagnitude(factor, 1);
        JsonNode truncate = node.get("truncate");
        return new RopeScaling.Yarn(
                factor,
                number("attention_factor", magnitude),
                numberOrZero("beta_fast", 32),
                numberOrZero("beta_slow", 1),
                original,
                truncate == null || truncate.asBoolean());
    }

    private static double yarnMagnitude(double factor, double scale) {
        return factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1;
    }

    private RopeScaling longRope(int positions, int original, int size) {
        double factor = number("factor", (double) positions / original);
        double magnitude = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original));
        return new RopeScaling.LongRope(
                factors("short_factor", size / 2),
                factors("long_factor", size / 2),
                number("attention_factor", magnitude),
                original);
    }

    private List<Double> factors(String key, int count) {
        JsonNode list = node.get(key);
        if (list == null || !list.isArray() || list.size() != count) {
            throw new BelayException(file + ": rope settings need a list '" + key + "' of " + count
                    + " numbers, half the rotary size, has "
                    + (list != null && list.isArray() ? list.size() + " numbers" : list));
        }
        List<Double> factors = new ArrayList<>();
        for (JsonNode factor : list) {
            if (!factor.isNumber() || !(factor.doubleValue() > 0) || !Double.isFinite(factor.doubleValue())) {
                throw new BelayException(
                        file + ": rope settings: '" + key + "' must hold positive numbers, has " + factor);
            }
            factors.add(factor.doubleValue());
        }
        return List.copyOf(factors);
    }

    /** A positive number; {@code fallback} where it is absent or 0, as in transformers. */
    private double numberOrZero(String key, double fallback) {
        JsonNode value = node.get(key);
        return value != null && value.isNumber() && value.doubleValue() == 0 ? fallback : number(key, fallback);
    }

    /** A positive number; {@code fallback} where it is absent, an error if there is none. */
    double number(String key, Double fallback) {
        JsonNode value = node.get(key);
        if ((value == null || value.isNull()) && fallback != null) {
            return fallback;
        }
        if (value == null || !value.isNumber() || !(value.doubleValue() > 0) || !Double.isFinite(value.doubleValue())) {
            throw new BelayException(file + ": rope settings need a positive number '" + key + "', has " + value);
        }
        return value.doubleValue();
    }
}
