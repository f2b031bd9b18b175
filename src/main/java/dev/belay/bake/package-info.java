/** Ablations that stay: {@link dev.belay.bake.HeadBake} writes them into a copy of a model, or as an adapter for servers that load such. */
package dev.belay.bake;
