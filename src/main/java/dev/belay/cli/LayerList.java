package dev.belay.cli;

import java.util.Set;
import java.util.TreeSet;

/** Reads {@code --layers}: numbers of hidden states H[i] with commas, last or all. */
final class LayerList {
    private LayerList() {}

    /**
     * The numbers, in order.
     *
     * @param count layers of the model, L
     * @throws UsageException if there is something else
     */
    static Set<Integer> parse(String layers, int count) {
        Set<Integer> chosen = new TreeSet<>();
        for (String part : layers.split(",", -1)) {
            switch (part.trim()) {
                case "all" -> {
                    for (int i = 0; i <= count; i++) {
                        chosen.add(i);
                    }
                }
                case "last" -> chosen.add(count);
                default -> chosen.add(layer(part.trim(), count));
            }
        }
        return chosen;
    }

    private static int layer(String text, int count) {
        if (!text.matches("[0-9]{1,6}") || Integer.parseInt(text) > count) {
            throw new UsageException("--layers: '" + text + "' is not last, all or a number from 0 to " + count
                    + " (0 = embeddings, " + count + " = after the final norm)");
        }
        return Integer.parseInt(text);
    }
}
