package dev.belay.report;

import java.util.Locale;

/**
 * The one colour scale of the page: orange (refusal is suppressed) through neutral to blue (refusal holds), told apart
 * with any common colour blindness. A colour is a CSS class {@code q0..q20}, so that it can differ between light and dark.
 */
final class Palette {
    /** Classes on either side of the neutral one. */
    static final int SIDE = 10;

    static final int SIZE = 2 * SIDE + 1;

    private static final int[] LIGHT = {0xB5500B, 0xF2AC6B, 0xF5F3EE, 0x8FBAE4, 0x1C5A9E};
    private static final int[] DARK = {0xF7A650, 0x8E5423, 0x2B2E33, 0x2D5E94, 0x7DBBFF};
    private static final int INK_DARK = 0x000000;
    private static final int INK_LIGHT = 0xFFFFFF;

    private Palette() {}

    /** The class of a refusal score, 0..1, neutral at a half. */
    static String ofScore(double score) {
        return of(2 * score - 1);
    }

    /** The class of a value in −1 (suppressed) .. 1 (refuses); values beyond are clipped. */
    static String of(double value) {
        return Double.isFinite(value) ? "q" + (SIDE + Math.round(Math.clamp(value, -1, 1) * SIDE)) : "qx";
    }

    /** The class of a head's score in a map: suppressors are orange whichever way the ranking counts. */
    static String ofHead(HeadMap map, double score, double range) {
        double away = range > 0 ? (score - map.base()) / range : 0 * score;
        return of(map.suppressorIsLow() ? away : -away);
    }

    /** The style rules of all classes: {@code --c} is the colour, {@code --i} the ink that can be read on it. */
    static String css() {
        return rules(LIGHT) + "@media (prefers-color-scheme:dark){\n" + rules(DARK) + "}\n";
    }

    private static String rules(int[] anchors) {
        StringBuilder css = new StringBuilder();
        for (int i = 0; i < SIZE; i++) {
            int color = color(anchors, i / (double) (SIZE - 1));
            int ink = contrast(INK_DARK, color) >= contrast(INK_LIGHT, color) ? INK_DARK : INK_LIGHT;
            css.append(String.format(Locale.ROOT, ".q%d{--c:#%06x;--i:#%06x}\n", i, color, ink));
        }
        return css.toString();
    }

    private static int color(int[] anchors, double at) {
        double place = at * (anchors.length - 1);
        int left = Math.min((int) place, anchors.length - 2);
        int mixed = 0;
        for (int shift = 16; shift >= 0; shift -= 8) {
            int from = anchors[left] >> shift & 0xFF;
            int to = anchors[left + 1] >> shift & 0xFF;
            mixed = mixed << 8 | (int) Math.round(from + (to - from) * (place - left));
        }
        return mixed;
    }

    /** Contrast ratio of two colours as WCAG 2 defines it. */
    static double contrast(int one, int other) {
        double a = luminance(one);
        double b = luminance(other);
        return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    }

    private static double luminance(int color) {
        return 0.2126 * linear(color >> 16) + 0.7152 * linear(color >> 8) + 0.0722 * linear(color);
    }

    private static double linear(int channel) {
        double value = (channel & 0xFF) / 255.0;
        return value <= 0.04045 ? value / 12.92 : Math.pow((value + 0.055) / 1.055, 2.4);
    }
}
