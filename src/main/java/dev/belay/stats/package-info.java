/** Intervals and tests for what was measured twice on the same examples. Everything random has a fixed seed. */
package dev.belay.stats;
