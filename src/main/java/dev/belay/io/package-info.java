/**
 * Files and messages: every output of Belay goes through {@link dev.belay.io.OutputFile}, so that it is whole or not there, what can be
 * made again is kept in {@link dev.belay.io.CacheFolder}, and all that appears on stderr passes {@link dev.belay.io.Messages}.
 */
package dev.belay.io;
