package dev.belay.device.cuda;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What softcuda counted of one kernel over its launches ({@code SOFTCUDA_COUNT}).
 *
 * @param classes warp instructions by class
 * @param laneUse active lanes of all lanes of the instructions, 0 to 1
 * @param mmaFlops floating-point operations of the matrix instructions
 * @param askedBytes global memory that active lanes asked for
 * @param movedBytes the 32-byte sectors that those accesses touch, in bytes
 * @param distinctBytes the sectors that differ, in bytes: what the device's memory moves if a cache holds the rest
 * @param sharedWavefronts passes over the banks of shared memory
 * @param sharedIdeal passes if no two lanes of an access met in a bank
 */
record KernelCounts(
        long launches,
        long warpInstructions,
        double laneUse,
        Map<String, Long> classes,
        long mmaFlops,
        long askedBytes,
        long movedBytes,
        long distinctBytes,
        long sharedWavefronts,
        long sharedIdeal,
        long branches,
        long divergentBranches) {
    private static final int SECTOR_BYTES = 32;

    /** Reads softcuda's file: by the kernel's name. */
    static Map<String, KernelCounts> read(Path file) throws IOException {
        Map<String, KernelCounts> counts = new LinkedHashMap<>();
        for (JsonNode kernel : new ObjectMapper().readTree(file.toFile())) {
            counts.put(kernel.required("kernel").asText(), of(kernel));
        }
        return counts;
    }

    private static KernelCounts of(JsonNode kernel) {
        Map<String, Long> classes = new LinkedHashMap<>();
        kernel.required("classes")
                .properties()
                .forEach(e -> classes.put(e.getKey(), e.getValue().asLong()));
        return new KernelCounts(
                number(kernel, "launches"),
                number(kernel, "warpInstructions"),
                kernel.required("laneUse").asDouble(),
                classes,
                number(kernel, "mmaFlops"),
                number(kernel, "globalLoadBytes") + number(kernel, "globalStoreBytes"),
                SECTOR_BYTES * (number(kernel, "globalLoadSectors") + number(kernel, "globalStoreSectors")),
                SECTOR_BYTES * (number(kernel, "globalLoadDistinct") + number(kernel, "globalStoreDistinct")),
                number(kernel, "sharedWavefronts"),
                number(kernel, "sharedIdeal"),
                number(kernel, "branches"),
                number(kernel, "divergentBranches"));
    }

    private static long number(JsonNode kernel, String field) {
        return kernel.required(field).asLong();
    }

    /** Bytes asked for of the bytes moved; 1 where every sector is used whole. */
    double coalescing() {
        return movedBytes == 0 ? 1 : (double) askedBytes / movedBytes;
    }

    /** Passes over the banks of the passes without conflicts; 1 where there are none. */
    double bankConflicts() {
        return sharedIdeal == 0 ? 1 : (double) sharedWavefronts / sharedIdeal;
    }

    /** Branches at which the lanes of a warp part, of all. */
    double divergence() {
        return branches == 0 ? 0 : (double) divergentBranches / branches;
    }

    /** Float32 operations outside the matrix instructions, as if every instruction were an fma of all lanes: at most so many. */
    long floatFlops() {
        return classes.getOrDefault("float32", 0L) * 32 * 2;
    }
}
