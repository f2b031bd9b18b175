package dev.belay.device.cuda;

import java.util.stream.IntStream;

/**
 * Pairs of a token and one of its experts, by expert: what the kernel expert_groups makes, in Java.
 *
 * @param offsets of each expert's pairs, [E + 1]
 * @param pairs in the order of experts, each token · k + i, [P]
 * @param places of the pairs in that order, [P]
 */
record ExpertGroups(int[] offsets, int[] pairs, int[] places) {
    /** {@code expertOf} pairs. */
    static ExpertGroups of(int[] expertOf, int experts) {
        int[] offsets = new int[experts + 1];
        int[] pairs = new int[expertOf.length];
        int[] places = new int[expertOf.length];
        int place = 0;
        for (int e = 0; e < experts; e++) {
            offsets[e] = place;
            for (int pair = 0; pair < expertOf.length; pair++) {
                if (expertOf[pair] == e) {
                    places[pair] = place;
                    pairs[place++] = pair;
                }
            }
        }
        offsets[experts] = place;
        return new ExpertGroups(offsets, pairs, places);
    }

    /** Each of {@code tokens} tokens with {@code top} experts by rising number, every expert as often as the others where that can be. */
    static int[] even(int tokens, int experts, int top) {
        return IntStream.range(0, tokens)
                .flatMap(t -> IntStream.range(0, top)
                        .map(k -> (t * top + k) % experts)
                        .sorted())
                .toArray();
    }
}
