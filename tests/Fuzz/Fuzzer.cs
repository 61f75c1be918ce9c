using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Threading;
using Strato.Engine.Diagnostics;
using Strato.Engine.Linux;
using Strato.Protocol;

namespace Strato.Tests.Fuzz;

/// <summary>What came of a run.</summary>
/// <param name="Iterations">Inputs that were tried.</param>
/// <param name="Outcomes">How many different things came of them.</param>
/// <param name="Failure">What must not be and was, or null.</param>
/// <param name="File">Where the input of the failure lies, or null.</param>
public readonly record struct FuzzResult(long Iterations, int Outcomes, string? Failure, string? File);

/// <summary>Tries damaged inputs on a target: no exception but a user's error, no hang, no allocation beyond the target's bound.</summary>
public static class Fuzzer
{
    // Inputs take microseconds to milliseconds; only one that never ends, or a machine that stands still, takes so long.
    private static readonly TimeSpan LongestInput = TimeSpan.FromSeconds(20);
    private const int LargestCorpus = 512;

    private static readonly Dictionary<string, Func<FuzzTarget>> Makers = new(StringComparer.Ordinal)
    {
        ["qmp"] = () => new Targets.QmpTarget(),
        ["options"] = () => new Targets.OptionsTarget(),
        ["configuration"] = () => new Targets.ConfigurationTarget(),
        ["kernel"] = () => new Targets.KernelTarget(),
        ["block"] = () => new Targets.BlockTarget(),
        ["snapshot"] = () => new Targets.SnapshotTarget(),
    };

    /// <summary>Names of all targets.</summary>
    public static IReadOnlyCollection<string> Targets => Makers.Keys;

    /// <summary>Tries inputs until one fails, or the budget is used.</summary>
    /// <param name="target">One of <see cref="Targets"/>.</param>
    /// <param name="seed">The same seed tries the same inputs.</param>
    /// <param name="iterations">How many at most.</param>
    /// <param name="time">How long at most.</param>
    public static FuzzResult Run(string target, int seed, long iterations, TimeSpan time) =>
        Run(Makers[target], target, seed, iterations, time, LongestInput);

    /// <summary>Tries one input, such as one that failed before.</summary>
    public static FuzzResult Replay(string target, byte[] input)
    {
        using FuzzTarget made = Makers[target]();
        string? failure = Try(made, input, out _);
        return new FuzzResult(1, 1, failure, null);
    }

    /// <summary>The same for a target of the caller's.</summary>
    /// <param name="make">Makes the target.</param>
    /// <param name="name">Names the file of a failing input.</param>
    /// <param name="seed">The same seed tries the same inputs.</param>
    /// <param name="iterations">How many at most.</param>
    /// <param name="time">How long at most.</param>
    /// <param name="hangLimit">How long one input may take.</param>
    public static FuzzResult Run(Func<FuzzTarget> make, string name, int seed, long iterations, TimeSpan time, TimeSpan hangLimit)
    {
        // A thread of its own, so that an input which never ends is left behind and told.
        Session session = new(make, seed, iterations, time);
        Thread thread = new(session.Run) { IsBackground = true, Name = "fuzz" };
        thread.Start();
        while (!thread.Join(TimeSpan.FromMilliseconds(50)))
        {
            if (session.Stuck(hangLimit) is { } input)
            {
                return session.Result($"it takes longer than {hangLimit.TotalSeconds} s", Save($"{name}-{seed}", input));
            }
        }

        return session.Result(session.Failure, session.Failure is null ? null : Save($"{name}-{seed}", session.Input));
    }

    /// <summary>Sends the engine's log nowhere: hostile inputs fill it.</summary>
    internal static void SilenceLog()
    {
        int nowhere = Libc.Open("/dev/null", Libc.O_WRONLY);
        if (nowhere >= 0)
        {
            Log.Redirect(nowhere);
        }
    }

    private static string? Try(FuzzTarget target, byte[] input, out string outcome)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            outcome = target.Run(input);
        }
        catch (UserErrorException error)
        {
            // Numbers and names that come from the input would make every refusal a new one.
            outcome = $"{error.Id} {error.Message.Length / 16}";
        }
        catch (Exception fault)
        {
            outcome = "";
            return fault.ToString();
        }

        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        return allocated > target.AllocationLimit ? $"it allocates {allocated} bytes; {target.AllocationLimit} are allowed" : null;
    }

    private static string Save(string name, byte[] input)
    {
        string path = Path.Combine(Directory.CreateDirectory(Path.Combine(FindRepository(), "out/fuzz")).FullName, $"{name}.bin");
        File.WriteAllBytes(path, input);
        return path;
    }

    private static string FindRepository()
    {
        for (string? folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (File.Exists(Path.Combine(folder, "Strato.slnx")))
            {
                return folder;
            }
        }

        return Directory.GetCurrentDirectory();
    }

    /// <summary>One run, and what its watcher sees of it.</summary>
    private sealed class Session(Func<FuzzTarget> make, int seed, long iterations, TimeSpan time)
    {
        private readonly HashSet<string> _outcomes = [];
        private long _iterations;
        private long _since;

        public byte[] Input { get; private set; } = [];

        public string? Failure { get; private set; }

        public void Run()
        {
            try
            {
                using FuzzTarget target = make();
                Run(target);
            }
            catch (Exception fault)
            {
                // On a thread of ours, it would end the whole process.
                Failure = $"the target can't be set up or taken down: {fault}";
            }
        }

        private void Run(FuzzTarget target)
        {
            long start = Stopwatch.GetTimestamp();
            Random random = new(seed);
            Mutator mutator = new(random, target.Words);
            List<byte[]> corpus = [.. target.Seeds];
            int seeds = corpus.Count;
            while (Failure is null && _iterations < iterations && Stopwatch.GetElapsedTime(start) < time)
            {
                // The seeds first, as they are: a target that refuses those tests nothing.
                Input = _iterations < seeds
                    ? corpus[(int)_iterations]
                    : mutator.Mutate(corpus[random.Next(corpus.Count)], corpus[random.Next(corpus.Count)]);
                Volatile.Write(ref _since, Stopwatch.GetTimestamp());
                Failure = Try(target, Input, out string outcome);
                Volatile.Write(ref _since, 0);
                _iterations++;
                if (_outcomes.Add(outcome) && corpus.Count < LargestCorpus && _iterations > seeds)
                {
                    corpus.Add(Input);
                }
            }
        }

        /// <summary>The input that has been at work for longer than that; else null.</summary>
        public byte[]? Stuck(TimeSpan limit)
        {
            long since = Volatile.Read(ref _since);
            return since != 0 && Stopwatch.GetElapsedTime(since) > limit ? Input : null;
        }

        public FuzzResult Result(string? failure, string? file) => new(_iterations, _outcomes.Count, failure, file);
    }
}
