/**
 * Interventions and observations at named points of the forward pass. A {@link dev.belay.hooks.HeadMask} says by which factor the
 * outputs of which heads are scaled, at which positions; {@link dev.belay.hooks.HeadScales} gives each row of a batch its mask, so
 * that a sweep is a batch; an {@link dev.belay.hooks.ActivationCapture} is shown the residual stream and the head outputs; a
 * {@link dev.belay.hooks.HookReport} counts what really happened.
 */
package dev.belay.hooks;
