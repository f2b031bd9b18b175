package dev.belay.probe;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;

/**
 * L-BFGS for smooth convex functions (Nocedal and Wright, Numerical Optimization, algorithms 7.4 and 7.5), with a diagonal
 * preconditioner, and a line search that halves or doubles until both weak Wolfe conditions hold.
 */
final class Lbfgs {
    private static final int HISTORY = 10;
    private static final int LINE_STEPS = 60;
    private static final double ARMIJO = 1e-4;
    private static final double CURVATURE = 0.9;
    /** Rounding of the function's value, relative: near the minimum a step may seem to climb by this much. */
    private static final double ROUNDING = 1e-14;

    /** The function to minimise. */
    interface Objective {
        /** Its value at {@code x}; fills {@code gradient}. */
        double at(double[] x, double[] gradient);
    }

    /** A minimum; {@code gradientNorm} is the largest |component| of the gradient. */
    record Minimum(double[] x, double value, int iterations, double gradientNorm, boolean converged) {}

    /** A step s, the change y of the gradient along it, and 1 / s·y. */
    private record Pair(double[] s, double[] y, double rho) {}

    private final Objective objective;
    private final double[] diagonal;
    private final Deque<Pair> history = new ArrayDeque<>(HISTORY);
    private double[] x;
    private double[] gradient;
    private double value;

    private Lbfgs(Objective objective, double[] diagonal) {
        this.objective = objective;
        this.diagonal = diagonal;
        this.x = new double[diagonal.length];
        this.gradient = new double[diagonal.length];
        this.value = objective.at(x, gradient);
    }

    /**
     * Minimises from the origin.
     *
     * @param diagonal a positive guess of the inverse of each second derivative, [n]
     * @param tolerance stops when no |component| of the gradient is larger
     */
    static Minimum minimize(Objective objective, double[] diagonal, double tolerance, int iterations) {
        return new Lbfgs(objective, diagonal).run(tolerance, iterations);
    }

    private Minimum run(double tolerance, int iterations) {
        int done = 0;
        while (largest(gradient) > tolerance && done < iterations) {
            if (!step(direction())) {
                if (history.isEmpty()) {
                    break;
                }
                history.clear();
            }
            done++;
        }
        double norm = largest(gradient);
        return new Minimum(x, value, done, norm, norm <= tolerance);
    }

    /** −H·gradient, H the approximate inverse of the Hessian: the two-loop recursion. */
    private double[] direction() {
        double[] q = gradient.clone();
        double[] alpha = new double[history.size()];
        int k = 0;
        for (Pair pair : history) {
            alpha[k] = pair.rho * dot(pair.s, q);
            add(q, -alpha[k++], pair.y);
        }
        double scale = history.isEmpty() ? 1 : 1 / (history.peekFirst().rho * weightedSquare(history.peekFirst().y));
        for (int i = 0; i < q.length; i++) {
            q[i] *= scale * diagonal[i];
        }
        for (Iterator<Pair> oldest = history.descendingIterator(); oldest.hasNext(); ) {
            Pair pair = oldest.next();
            add(q, alpha[--k] - pair.rho * dot(pair.y, q), pair.s);
        }
        for (int i = 0; i < q.length; i++) {
            q[i] = -q[i];
        }
        return q;
    }

    /** Goes along {@code direction} to a point that satisfies both Wolfe conditions; false if rounding hides every one. */
    private boolean step(double[] direction) {
        double slope = dot(gradient, direction);
        double low = 0;
        double high = Double.POSITIVE_INFINITY;
        double t = 1;
        double[] next = new double[x.length];
        double[] nextGradient = new double[x.length];
        for (int i = 0; i < LINE_STEPS && slope < 0; i++) {
            System.arraycopy(x, 0, next, 0, x.length);
            add(next, t, direction);
            double nextValue = objective.at(next, nextGradient);
            if (!(nextValue <= value + ARMIJO * t * slope + ROUNDING * Math.abs(value))) {
                high = t;
            } else if (dot(nextGradient, direction) < CURVATURE * slope) {
                low = t;
            } else {
                remember(next, nextGradient);
                x = next;
                gradient = nextGradient;
                value = nextValue;
                return true;
            }
            t = Double.isInfinite(high) ? 2 * low : (low + high) / 2;
        }
        return false;
    }

    private void remember(double[] next, double[] nextGradient) {
        double[] s = next.clone();
        double[] y = nextGradient.clone();
        add(s, -1, x);
        add(y, -1, gradient);
        double product = dot(s, y);
        if (product > 0) {
            if (history.size() == HISTORY) {
                history.removeLast();
            }
            history.addFirst(new Pair(s, y, 1 / product));
        }
    }

    private double weightedSquare(double[] y) {
        double sum = 0;
        for (int i = 0; i < y.length; i++) {
            sum += diagonal[i] * y[i] * y[i];
        }
        return sum;
    }

    static double dot(double[] a, double[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += a[i] * b[i];
        }
        return sum;
    }

    private static void add(double[] target, double factor, double[] other) {
        for (int i = 0; i < target.length; i++) {
            target[i] += factor * other[i];
        }
    }

    private static double largest(double[] values) {
        double largest = 0;
        for (double value : values) {
            largest = Math.max(largest, Math.abs(value));
        }
        return largest;
    }
}
