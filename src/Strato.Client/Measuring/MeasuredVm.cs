using System;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Strato.Client.Linux;
using Strato.Client.Qmp;
using Strato.Client.Runtime;
using Strato.Protocol.Qmp;

namespace Strato.Client.Measuring;

/// <summary>A VM that is asked again and again, over one connection: all questions of a sample at once.</summary>
internal sealed class MeasuredVm(VmDefinition definition, EngineProcess process) : IDisposable
{
    private static readonly string[] Questions =
    [
        "\"query-status\"",
        "\"query-balloon\"",
        GuestMemory.Question,
        "\"query-blockstats\"",
        "\"query-netstats\"",
        "\"query-stats\",\"arguments\":{\"target\":\"vcpu\",\"providers\":[{\"provider\":\"kvm\",\"names\":[\"exits\"]}]}",
    ];

    private readonly JsonElement?[] _answers = new JsonElement?[Questions.Length];
    private UnixStream? _stream;
    private QmpFramer _framer = QmpCommand.NewFramer();
    private long _firstId;
    private EngineSample? _sample;
    private EngineSample? _last;

    internal VmDefinition Definition => definition;

    internal EngineProcess Process => process;

    /// <summary>The connection; -1 when nothing is to come.</summary>
    internal int Fd { get; private set; } = -1;

    /// <summary>Whether all answers to the last questions are there.</summary>
    internal bool IsAnswered => Array.TrueForAll(_answers, static answer => answer is not null);

    /// <summary>Asks; the answers are for <see cref="Take"/>.</summary>
    internal void Ask()
    {
        Array.Clear(_answers);
        _sample = null;
        StringBuilder text = new();
        if (_stream is null && !TryConnect())
        {
            return;
        }

        // Sent at once, and without waiting for the greeting of a new connection. Late answers to earlier questions have other ids.
        text.Append(_firstId == 0 ? "{\"execute\":\"qmp_capabilities\",\"id\":0}\n" : "");
        _firstId += Questions.Length;
        for (int i = 0; i < Questions.Length; i++)
        {
            text.Append(CultureInfo.InvariantCulture, $"{{\"execute\":{Questions[i]},\"id\":{_firstId + i}}}\n");
        }

        byte[] bytes = Encoding.UTF8.GetBytes(text.ToString());
        if (_stream!.Send(bytes) == bytes.Length)
        {
            Fd = _stream.Fd;
        }
        else
        {
            // It doesn't read, or the connection is broken: the next sample begins anew.
            Disconnect();
        }
    }

    /// <summary>Takes what has come. <see cref="Fd"/> is -1 when all has, or nothing more will.</summary>
    internal void Take()
    {
        try
        {
            int count = _stream!.Receive(_framer.GetSpan());
            if (count == 0)
            {
                Disconnect();
                return;
            }

            _framer.Advance(Math.Max(count, 0));
            while (QmpCommand.TryTake(_framer, out JsonElement message))
            {
                for (int i = 0; i < _answers.Length; i++)
                {
                    if (QmpCommand.Answers(message, _firstId + i))
                    {
                        // What an engine of another version doesn't know is as if it told nothing.
                        _answers[i] = message.TryGetProperty("return", out JsonElement answer) ? answer : default(JsonElement);
                    }
                }
            }
        }
        catch (StratoException)
        {
            Disconnect();
        }

        if (IsAnswered)
        {
            // Now: others that don't answer are waited for, and the figures are of this moment.
            Fd = -1;
            _sample = Sample();
        }
    }

    /// <summary>What was measured since the last time that the engine answered; null the first time, and when it has ended.</summary>
    internal VmMeasurement? Measure()
    {
        Procfs.Stat stat = Procfs.TryReadStat(process.Run.Pid) ?? default;
        EngineSample? sample = _sample;
        EngineSample? before = _last;
        Fd = -1;
        _last = sample ?? before;

        long resident = (stat.ResidentPages * Environment.SystemPageSize) + (definition.HugePage is null ? 0 : Procfs.HugePageBytes(process.Run.Pid));
        long assigned = sample?.Memory ?? before?.Memory ?? definition.Memory;
        VmMeasurement measurement = new()
        {
            Id = definition.Id,
            Name = definition.Name,
            State = sample?.State ?? VmState.Unresponsive,
            Time = DateTimeOffset.UtcNow,
            Interval = before is null ? TimeSpan.Zero : Stopwatch.GetElapsedTime(before.Timestamp),
            MemoryAssigned = assigned,
            MemoryResident = resident,
            MemoryDemand = GuestMemory.Demand(sample?.Used, assigned, resident),
        };
        return before is null || (sample is null && process.HasEnded) ? null : sample is null ? measurement : Rates.Between(before, sample, measurement, definition.Cpu);
    }

    public void Dispose()
    {
        _stream?.Dispose();
        process.Dispose();
    }

    private EngineSample Sample()
    {
        (long? exits, int? cpus) = EngineSample.ReadExits(_answers[5]!.Value);
        return new EngineSample
        {
            Timestamp = Stopwatch.GetTimestamp(),
            State = QmpCommand.State(_answers[0]!.Value),
            Memory = GuestMemory.Actual(_answers[1]!.Value),
            Used = GuestMemory.Used(_answers[2]!.Value),
            CpuNanoseconds = Procfs.TryReadCpuNanoseconds(process.Run.Pid),
            Drives = EngineSample.ReadDrives(_answers[3]!.Value),
            Adapters = EngineSample.ReadAdapters(_answers[4]!.Value),
            Exits = exits,
            Cpus = cpus,
        };
    }

    private bool TryConnect()
    {
        try
        {
            RuntimeFolder.Check(process.Run.Runtime);
            _firstId = 0;
            _framer = QmpCommand.NewFramer();
            return UnixStream.TryConnect(process.Run.QmpSocket, out _stream) == ConnectOutcome.Connected;
        }
        catch (StratoException)
        {
            // It ends just now, or its folder isn't to be trusted.
            return false;
        }
    }

    private void Disconnect()
    {
        _stream?.Dispose();
        _stream = null;
        Fd = -1;
    }
}
