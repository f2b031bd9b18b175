package dev.belay.device.cuda;

import java.util.Arrays;

/**
 * Commands for a stream, as numbers: for each its target (a kernel, a product, or a kind of copy) and its arguments. Two lists are
 * equal if they would do the same to the same memory.
 */
final class CommandList {
    /** Where commands go when a list is run. */
    interface Sink {
        /** Runs one command; {@code words} holds its arguments from {@code at} on. */
        void command(Object target, long[] words, int at);
    }

    private Object[] targets = new Object[256];
    private int[] starts = new int[256];
    private long[] words = new long[4096];
    private int count;
    private int used;

    /** Adds a command with room for {@code length} words of arguments, and returns where they go in {@link #words()}. */
    int add(Object target, int length) {
        if (count == targets.length) {
            targets = Arrays.copyOf(targets, 2 * count);
            starts = Arrays.copyOf(starts, 2 * count);
        }
        if (used + length > words.length) {
            words = Arrays.copyOf(words, Math.max(used + length, 2 * words.length));
        }
        targets[count] = target;
        starts[count++] = used;
        used += length;
        return used - length;
    }

    /** The arguments of all commands. */
    long[] words() {
        return words;
    }

    /** Number of commands. */
    int size() {
        return count;
    }

    /** Gives all commands to {@code sink}, in order. */
    void run(Sink sink) {
        for (int i = 0; i < count; i++) {
            sink.command(targets[i], words, starts[i]);
        }
    }

    /** Forgets all commands; keeps the memory. */
    void clear() {
        Arrays.fill(targets, 0, count, null);
        count = 0;
        used = 0;
    }

    /** A list of its own with the same commands. */
    CommandList copy() {
        CommandList copy = new CommandList();
        copy.targets = Arrays.copyOf(targets, count);
        copy.starts = Arrays.copyOf(starts, count);
        copy.words = Arrays.copyOf(words, used);
        copy.count = count;
        copy.used = used;
        return copy;
    }

    @Override
    public int hashCode() {
        int hash = count;
        for (int i = 0; i < count; i++) {
            hash = 31 * hash + System.identityHashCode(targets[i]);
        }
        for (int i = 0; i < used; i++) {
            hash = 31 * hash + Long.hashCode(words[i]);
        }
        return hash;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof CommandList list
                && count == list.count
                && used == list.used
                && Arrays.equals(words, 0, used, list.words, 0, used)
                && Arrays.equals(starts, 0, count, list.starts, 0, count)
                && sameTargets(list);
    }

    private boolean sameTargets(CommandList list) {
        for (int i = 0; i < count; i++) {
            if (targets[i] != list.targets[i]) {
                return false;
            }
        }
        return true;
    }
}
