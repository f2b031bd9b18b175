package dev.belay.device.cpu;

/** Norm, product with the stacked query, key and value weights, and rotation; {@link Rotary#prepare} comes first. */
final class FusedProjection extends FusedBlocks {
    private final Rotary rotary;
    private CpuBuffer[] qkv = new CpuBuffer[0];
    private CpuMatrix weights;
    private Panel[] panels;

    FusedProjection(MemoryPool memory, Rotary rotary, boolean bfloat16) {
        super(memory, bfloat16);
        this.rotary = rotary;
    }

    void run(ThreadTeam team, CpuBuffer x, CpuBuffer norm, float eps, int tokens, CpuMatrix weights) {
        this.weights = weights;
        panels = weights.packed(team);
        qkv = scratch(qkv, team.size(), (long) BLOCK * weights.rows(), false);
        run(team, x, norm, eps, tokens, weights.columns());
    }

    @Override
    void prepare(int count) {
        for (Panel panel : panels) {
            panel.prepare(count, weights.columns(), weights.rows(), false);
        }
    }

    @Override
    void block(int from, int count, CpuBuffer normed, int worker) {
        CpuBuffer out = qkv[worker];
        int rows = weights.rows();
        for (int p = 0; p < panels.length; p++) {
            long target = out.address() + (long) weights.panelStart(p) * Float.BYTES;
            panels[p].multiply(worker, normed.address(), weights.columns(), count, target, rows, false);
        }
        for (int t = 0; t < count; t++) {
            rotary.token(from + t, out.segment(), (long) t * rows, worker);
        }
    }

    @Override
    public void close() {
        super.close();
        close(qkv);
    }
}
