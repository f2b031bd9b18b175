package dev.belay.device;

import dev.belay.BelayException;
import java.util.Locale;

/** The number type of matrix products ({@code --dtype}): accumulation and the residual stream are float32 in both. */
public enum DType {
    F32(Float.BYTES),
    BF16(Short.BYTES);

    private final int bytes;

    DType(int bytes) {
        this.bytes = bytes;
    }

    /** Size of a number in bytes. */
    public int bytes() {
        return bytes;
    }

    /** Reads {@code f32} or {@code bf16} (also {@code float32}, {@code bfloat16}). */
    public static DType parse(String text) {
        return switch (text.toLowerCase(Locale.ROOT)) {
            case "f32", "float32" -> F32;
            case "bf16", "bfloat16" -> BF16;
            default -> throw new BelayException("unknown dtype '" + text + "': use f32 or bf16");
        };
    }

    /** The spelling of the command line. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }
}
