package dev.belay.device.cuda;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What {@code ptxas -v} said of every kernel for every architecture. */
final class PtxasLog {
    /**
     * One kernel for one architecture.
     *
     * @param registers of a thread
     * @param spillBytes stores and loads of registers that did not fit
     * @param sharedBytes static shared memory of a block
     */
    record Usage(int registers, int spillBytes, int sharedBytes) {}

    private record Key(String kernel, String architecture) {}

    private static final Pattern ENTRY = Pattern.compile("Compiling entry function '(\\w+)' for '(\\w+)'");
    private static final Pattern SPILLS = Pattern.compile("(\\d+) bytes spill stores, (\\d+) bytes spill loads");
    private static final Pattern REGISTERS = Pattern.compile("Used (\\d+) registers");
    private static final Pattern SHARED = Pattern.compile("(\\d+) bytes smem");

    private final Map<Key, Usage> usages = new HashMap<>();

    private PtxasLog() {}

    static PtxasLog parse(List<String> lines) {
        PtxasLog log = new PtxasLog();
        Key key = null;
        int spills = 0;
        for (String line : lines) {
            Matcher entry = ENTRY.matcher(line);
            Matcher spill = SPILLS.matcher(line);
            Matcher registers = REGISTERS.matcher(line);
            if (entry.find()) {
                key = new Key(entry.group(1), entry.group(2));
                spills = 0;
            } else if (spill.find()) {
                spills = Integer.parseInt(spill.group(1)) + Integer.parseInt(spill.group(2));
            } else if (registers.find() && key != null) {
                Matcher shared = SHARED.matcher(line);
                int bytes = shared.find() ? Integer.parseInt(shared.group(1)) : 0;
                log.usages.put(key, new Usage(Integer.parseInt(registers.group(1)), spills, bytes));
            }
        }
        return log;
    }

    /** Throws if the log does not have the kernel for the architecture ({@code sm_90}). */
    Usage usage(String kernel, String architecture) {
        Usage usage = usages.get(new Key(kernel, architecture));
        if (usage == null) {
            throw new IllegalArgumentException("the output of ptxas has no " + kernel + " for " + architecture);
        }
        return usage;
    }
}
