package dev.belay.report;

import dev.belay.report.HeadMap.HeadRef;
import dev.belay.report.SvgPlot.Anchor;

/** Layers × heads as coloured cells, the chosen heads outlined and numbered, with a colour bar below. */
final class HeatMapPlot {
    private static final double LEFT = 34;
    private static final double TOP = 34;
    private static final double SMALLEST_WITH_VALUE = 24;
    private static final double SMALLEST_WITH_BADGE = 22;

    /** Cells nearer to base than this share of the range stay without a number, so that the others can be seen. */
    private static final double WORTH_A_VALUE = 0.1;

    private static final double ROOM_FOR_BASE = 58;

    private final HeadMap map;
    private final double width;
    private final double cellWidth;
    private final double cellHeight;
    private final double range;
    private final int digits;

    private HeatMapPlot(HeadMap map) {
        this.map = map;
        this.width = map.heads() <= 12 ? 320 : 560;
        this.cellWidth = (width - LEFT - 2) / map.heads();
        this.cellHeight = Math.min(cellWidth, 28);
        this.range = map.range();
        this.digits = HtmlText.digits(range);
    }

    /** Draws a map of at least one head. */
    static String render(HeadMap map) {
        return new HeatMapPlot(map).draw();
    }

    private String draw() {
        double bottom = TOP + map.layers() * cellHeight;
        String title = "Heads by " + map.name() + " ranking";
        SvgPlot svg = new SvgPlot(width, bottom + 66, map.heads() <= 12 ? "heat" : "heat big", title, description());
        axes(svg);
        for (int layer = 0; layer < map.layers(); layer++) {
            for (int head = 0; head < map.heads(); head++) {
                cell(svg, layer, head);
            }
        }
        for (HeadRef ref : map.top()) {
            svg.rect("chosen", x(ref.head()) + 0.5, y(ref.layer()) + 0.5, cellWidth - 1, cellHeight - 1);
        }
        for (int rank = map.top().size(); rank >= 1; rank--) {
            mark(svg, map.top().get(rank - 1), rank);
        }
        colorBar(svg, bottom + 18);
        return svg.finish();
    }

    private String description() {
        StringBuilder text = new StringBuilder();
        text.append(map.layers()).append(" layers by ").append(map.heads()).append(" heads, ");
        text.append(map.unit()).append(". Chosen heads:");
        for (HeadRef ref : map.top()) {
            text.append(' ').append(name(ref.layer(), ref.head())).append(' ');
            text.append(HtmlText.fixed(ref.score(), digits + 1)).append(';');
        }
        if (map.top().isEmpty()) {
            text.append(" none;");
        }
        text.setCharAt(text.length() - 1, '.');
        return text.toString();
    }

    private void axes(SvgPlot svg) {
        svg.text("axis", Anchor.START, LEFT, 12, "head");
        svg.text("axis", Anchor.START, 0, TOP - 6, "layer");
        int headStep = CliffPlot.niceStep(18 / cellWidth);
        for (int head = 0; head < map.heads(); head += headStep) {
            svg.text("tick", Anchor.MIDDLE, x(head) + cellWidth / 2, TOP - 6, Integer.toString(head));
        }
        int layerStep = CliffPlot.niceStep(14 / cellHeight);
        for (int layer = 0; layer < map.layers(); layer += layerStep) {
            svg.text("tick", Anchor.END, LEFT - 8, y(layer) + cellHeight / 2 + 4, Integer.toString(layer));
        }
    }

    private void cell(SvgPlot svg, int layer, int head) {
        double score = map.scores()[layer][head];
        String color = Palette.ofHead(map, score, range);
        String value = Double.isFinite(score) ? HtmlText.fixed(score, digits + 1) : "not measured";
        double gap = cellWidth > 14 ? 1 : 0.5;
        svg.rect(
                "cell " + color,
                x(head) + gap,
                y(layer) + gap,
                cellWidth - 2 * gap,
                cellHeight - 2 * gap,
                "layer " + layer + ", head " + head + ": " + value);
        if (showsValue(layer, head)) {
            double x = x(head) + cellWidth / 2;
            double y = y(layer) + cellHeight / 2 + 4;
            svg.text("value " + color, Anchor.MIDDLE, x, y, HtmlText.fixed(score, digits));
        }
    }

    private boolean showsValue(int layer, int head) {
        double score = map.scores()[layer][head];
        boolean far = Math.abs(score - map.base()) >= WORTH_A_VALUE * range;
        boolean chosen = map.top().stream().anyMatch(ref -> ref.layer() == layer && ref.head() == head);
        return cellWidth >= SMALLEST_WITH_VALUE && Double.isFinite(score) && (far || chosen);
    }

    private void mark(SvgPlot svg, HeadRef ref, int rank) {
        double x = x(ref.head());
        double y = y(ref.layer());
        String number = Integer.toString(rank);
        if (cellWidth >= SMALLEST_WITH_BADGE) {
            svg.circle("badge", x + cellWidth - 1, y + 1, 7.5, null);
            svg.text("badge-text", Anchor.MIDDLE, x + cellWidth - 1, y + 4.5, number);
        } else if (cellWidth >= 9 && rank < 10) {
            String color = Palette.ofHead(map, map.scores()[ref.layer()][ref.head()], range);
            svg.text("rank " + color, Anchor.MIDDLE, x + cellWidth / 2, y + cellHeight / 2 + 3.2, number);
        }
    }

    /** The part of the scale that the scores use, with base where there is room for it. */
    private void colorBar(SvgPlot svg, double y) {
        int low = steps(-1);
        int high = steps(1);
        double right = width - 2;
        double step = (right - LEFT) / (high - low + 1);
        for (int i = low; i <= high; i++) {
            double away = i / (double) Palette.SIDE;
            String color = Palette.of(map.suppressorIsLow() ? away : -away);
            svg.rect("cell " + color, LEFT + (i - low) * step, y, step + 0.3, 10);
        }
        double base = LEFT + (0.5 - low) * step;
        double unit = range / Palette.SIDE;
        svg.text("tick", Anchor.START, LEFT, y + 25, HtmlText.fixed(map.base() + low * unit, digits));
        svg.text("tick", Anchor.END, right, y + 25, HtmlText.fixed(map.base() + high * unit, digits));
        if (Math.min(base - LEFT, right - base) > ROOM_FOR_BASE) {
            svg.text("tick", Anchor.MIDDLE, base, y + 25, HtmlText.fixed(map.base(), digits));
        }
        svg.text("axis", Anchor.START, LEFT, y + 41, low == 0 ? "no effect" : meaning(map.suppressorIsLow()));
        svg.text("axis", Anchor.END, right, y + 41, high == 0 ? "no effect" : meaning(!map.suppressorIsLow()));
    }

    private static String meaning(boolean suppresses) {
        return suppresses ? "suppresses refusal" : "supports refusal";
    }

    /** Steps of colour between base and the farthest score on one side of it. */
    private int steps(int side) {
        double farthest = 0;
        for (double[] layer : map.scores()) {
            for (double score : layer) {
                if (Double.isFinite(score)) {
                    farthest = Math.max(farthest, side * (score - map.base()));
                }
            }
        }
        return range > 0 ? side * (int) Math.round(farthest / range * Palette.SIDE) : 0;
    }

    /** How the page writes a head: (layer,head). */
    static String name(int layer, int head) {
        return "(" + layer + "," + head + ")";
    }

    private double x(int head) {
        return LEFT + head * cellWidth;
    }

    private double y(int layer) {
        return TOP + layer * cellHeight;
    }
}
