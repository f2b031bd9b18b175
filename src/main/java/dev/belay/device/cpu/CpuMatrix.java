package dev.belay.device.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import dev.belay.device.DeviceException;
import dev.belay.device.DeviceMatrix;
import dev.belay.device.HostMatrix;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A weight matrix: the model file's own memory, and panels of it that are packed for products, cut by output features, when a product
 * first needs them. A view has the same file's memory; panels that it cuts as its owner does are shared.
 */
final class CpuMatrix extends DeviceMatrix {
    /** Fewest and most output features of a panel, unless the matrix has fewer. */
    private static final int LEAST_ROWS = 256;

    private static final int MOST_ROWS = 8192;
    /** oneDNN packs output features by as many. */
    private static final int PACKED_ROWS = 64;

    private final Owner owner;
    private final boolean view;
    private final int row;
    private final int column;
    private final Panel[] panels;
    private final int[] panelStarts;

    /** What a matrix and its views share. */
    private static final class Owner {
        private final List<HostMatrix> parts;
        private final Products.Cache cache;
        private final Map<Panel.Source, Panel> panels = new HashMap<>();
        private boolean closed;

        Owner(List<HostMatrix> parts, Products.Cache cache) {
            this.parts = List.copyOf(parts);
            this.cache = cache;
        }
    }

    private CpuMatrix(String name, Owner owner, boolean view, int row, int rows, int column, int columns) {
        super(name, rows, columns);
        this.owner = owner;
        this.view = view;
        this.row = row;
        this.column = column;
        panels = cut();
        panelStarts = new int[panels.length];
        for (int p = 1; p < panels.length; p++) {
            panelStarts[p] = panelStarts[p - 1] + panels[p - 1].rows();
        }
    }

    /** The matrix that {@code parts} make on top of each other; their memory must stay until the matrix is closed. */
    static CpuMatrix of(String name, List<HostMatrix> parts, int rows, Products.Cache cache) {
        Owner owner = new Owner(parts, cache);
        return new CpuMatrix(name, owner, false, 0, rows, 0, parts.getFirst().columns());
    }

    private Panel[] cut() {
        List<Panel> cut = new ArrayList<>();
        int target = Math.clamp(up(rows() / (2 * owner.cache.workers())), LEAST_ROWS, MOST_ROWS);
        int partStart = 0;
        for (HostMatrix part : owner.parts) {
            int from = Math.max(row, partStart);
            int to = Math.min(row + rows(), partStart + part.rows());
            if (from < to) {
                int count = Math.max(1, Math.round((float) (to - from) / target));
                int share = Math.min(MOST_ROWS, up((to - from + count - 1) / count));
                for (int r = from; r < to; r += share) {
                    int panelRows = Math.min(share, to - r);
                    cut.add(panel(new Panel.Source(part, r - partStart, panelRows, column, columns())));
                }
            }
            partStart += part.rows();
        }
        return cut.toArray(Panel[]::new);
    }

    private Panel panel(Panel.Source source) {
        return owner.panels.computeIfAbsent(source, s -> new Panel(s, owner.cache));
    }

    private static int up(int rows) {
        return (rows + PACKED_ROWS - 1) / PACKED_ROWS * PACKED_ROWS;
    }

    @Override
    protected CpuMatrix slice(int row, int rowCount, int column, int columnCount) {
        return new CpuMatrix(name(), owner, true, this.row + row, rowCount, this.column + column, columnCount);
    }

    static CpuMatrix of(DeviceMatrix matrix) {
        CpuMatrix cpu = (CpuMatrix) matrix;
        if (cpu.owner.closed) {
            throw new DeviceException("matrix " + cpu + " is closed");
        }
        return cpu;
    }

    /** The panels, top to bottom, packed; {@code team} packs those that are not. */
    Panel[] packed(ThreadTeam team) {
        for (Panel panel : panels) {
            if (!panel.packed()) {
                team.run((item, worker) -> packIfNeeded(panels[item], worker), panels.length);
                break;
            }
        }
        return panels;
    }

    /** Whether the panels of the upper half of the rows are as many and as high as those of the lower half. */
    boolean cutInHalves() {
        int half = panels.length / 2;
        for (int p = 0; p < half; p++) {
            if (panels[p].rows() != panels[half + p].rows()) {
                return false;
            }
        }
        return panels.length % 2 == 0;
    }

    /** First output feature of panel {@code p}. */
    int panelStart(int p) {
        return panelStarts[p];
    }

    private void packIfNeeded(Panel panel, int worker) {
        if (!panel.packed()) {
            panel.pack(owner.cache, worker);
        }
    }

    /** Copies row {@code r} to element {@code target} of {@code out} as float32, rounded as products see it. Allocates nothing. */
    void copyRow(int r, MemorySegment out, long target) {
        int left = row + r;
        int i = 0;
        while (left >= owner.parts.get(i).rows()) {
            left -= owner.parts.get(i++).rows();
        }
        HostMatrix part = owner.parts.get(i);
        long first = (long) left * part.columns() + column;
        for (int c = 0; c < columns(); c++) {
            out.setAtIndex(JAVA_FLOAT, target + c, owner.cache.weight(part, first + c));
        }
    }

    @Override
    public void close() {
        if (!view && !owner.closed) {
            owner.closed = true;
            owner.panels.values().forEach(Panel::close);
        }
    }
}
