using System;
using System.IO;
using System.Threading;
using Strato.Client.Store;

namespace Strato.Client.Runtime;

/// <summary>Which engine runs for a VM.</summary>
internal sealed class EngineRegistry
{
    private readonly StratoPaths _paths;

    internal EngineRegistry(StratoPaths paths)
    {
        _paths = paths;
    }

    internal RunRecord? LastRun(string id) => RunRecord.TryRead(_paths.RunFile(id));

    /// <summary>The living engine of a VM, or null.</summary>
    internal EngineProcess? TryOpen(string id)
    {
        RunRecord? last = LastRun(id);
        EngineProcess? process = last is null ? null : EngineProcess.TryOpen(last);
        return process ?? EngineProcess.TryAdopt(last?.Runtime ?? _paths.RuntimeDirectory(id)) ?? TryFindLaunched(id);
    }

    /// <summary>The engine of a shell that died between starting it and noting its number: it runs on, and doesn't listen yet.</summary>
    private EngineProcess? TryFindLaunched(string id)
    {
        string mark = _paths.LaunchFile(id);
        try
        {
            return File.Exists(mark) ? EngineProcess.TryFind(File.ReadAllText(mark)) : null;
        }
        catch (IOException)
        {
            // The shell lives, and has just noted it.
            return LastRun(id) is { } last ? EngineProcess.TryOpen(last) : null;
        }
    }

    /// <summary>Why a VM that isn't running isn't; null if there is nothing to say.</summary>
    internal string? WhyStopped(string id) => LastRun(id) is { } last ? WhyEnded(id, last) : null;

    internal string? WhyEnded(string id, RunRecord run) => EndReason.Describe(run, ExitRecord.TryRead(_paths.ExitFile(id), run), _paths.EngineLog(id));

    /// <summary>Removes what a dead engine left. Only under the VM's lock.</summary>
    internal void Clean(string id)
    {
        CleanRuntime(id);
        AtomicFile.Remove(_paths.LaunchFile(id));
        AtomicFile.Remove(_paths.RunFile(id));
        AtomicFile.Remove(_paths.ExitFile(id));
        AtomicFile.RemoveLeftovers(_paths.RunFile(id));
        AtomicFile.RemoveLeftovers(_paths.ExitFile(id));
    }

    /// <summary>As <see cref="Clean"/>, but why it ended can still be told.</summary>
    internal void CleanRuntime(string id)
    {
        RemoveCgroup(id, patient: true);
        RuntimeFolder.Clean(LastRun(id)?.Runtime ?? _paths.RuntimeDirectory(id));
    }

    /// <summary>Removes the control group of an engine that is gone. One with a process in it stays.</summary>
    internal void RemoveCgroup(string id, bool patient)
    {
        if (LastRun(id) is { Cgroup: { } folder } last && last.BootId == Linux.Procfs.BootId)
        {
            CpuShare.Remove(folder, patient);
        }
    }

    /// <summary>After an engine was ended on purpose: forget it, so that its end isn't told as a fault. Skipped if somebody starts the VM anew in this moment.</summary>
    internal void Forget(string id, RunRecord run, VmStore store)
    {
        try
        {
            using FileLock mine = store.Lock(id, CancellationToken.None, TimeSpan.FromSeconds(2));
            RunRecord? last = LastRun(id);
            if (last is null || (last.Pid == run.Pid && last.StartTime == run.StartTime))
            {
                Clean(id);
            }
        }
        catch (StratoException)
        {
            // Removed, or being started: then whoever does that cleans up.
        }
    }

    /// <summary>Keeps older generations of a log.</summary>
    /// <param name="path">The log; PATH.1 is the generation before.</param>
    /// <param name="generations">How many are kept.</param>
    internal static void Rotate(string path, int generations = 1)
    {
        try
        {
            for (int i = generations; i > 0; i--)
            {
                string from = i == 1 ? path : $"{path}.{i - 1}";
                if (File.Exists(from))
                {
                    File.Move(from, $"{path}.{i}", overwrite: true);
                }
            }
        }
        catch (IOException)
        {
            // It goes on in the old one.
        }
    }
}
