using System.Collections.Generic;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Strato.Engine.Boot;
using Strato.Engine.Machine;
using Strato.Protocol;
using Strato.Protocol.Configuration;
using Strato.Protocol.Qmp;

namespace Strato.Engine.Qmp;

/// <summary>Commands that only look. Members stand in the order in which StratoVirt prints them: by name.</summary>
internal static class QueryCommands
{
    private static readonly string CpuArchitecture = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "arm" : "x86";
    private static readonly string CpuType = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? "host-aarch64-cpu" : "host-x86-cpu";

    /// <summary>QMP's name of a state.</summary>
    public static string StateName(RunState state) => state switch
    {
        RunState.Prelaunch => "prelaunch",
        RunState.Running => "running",
        RunState.Paused => "paused",
        RunState.IoError => "io-error",
        RunState.Shutdown => "shutdown",
        _ => "internal-error",
    };

    public static void Status(QmpCall call)
    {
        RunState state = call.Machine.State;
        Utf8JsonWriter json = call.Result;
        json.WriteStartObject();
        json.WriteBoolean("running", state == RunState.Running);
        json.WriteBoolean("singlestep", false);
        json.WriteString("status", StateName(state));
        json.WriteEndObject();
    }

    public static void Version(QmpCall call) => QmpWriter.WriteVersion(call.Result, StratoVersion.Package);

    public static void Kvm(QmpCall call)
    {
        call.Result.WriteStartObject();
        call.Result.WriteBoolean("enabled", true);
        call.Result.WriteBoolean("present", true);
        call.Result.WriteEndObject();
    }

    /// <summary>An empty object when the machine has no name, as QEMU's.</summary>
    public static void Name(QmpCall call)
    {
        call.Result.WriteStartObject();
        if (call.Machine.Name is string name)
        {
            call.Result.WriteString("name", name);
        }

        call.Result.WriteEndObject();
    }

    public static void Cpus(QmpCall call)
    {
        Utf8JsonWriter json = call.Result;
        json.WriteStartArray();
        foreach (CpuStatus cpu in call.Machine.Cpus)
        {
            json.WriteStartObject();
            json.WriteNumber("CPU", cpu.Index);
            json.WriteString("arch", CpuArchitecture);
            json.WriteBoolean("current", true);
            json.WriteBoolean("halted", cpu.Halted);
            WriteTopology(json, call.Machine.Topology, cpu.Index);
            json.WriteString("qom_path", CpuPath(cpu));
            json.WriteNumber("thread_id", cpu.ThreadId);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    /// <summary>All CPUs that there can be; those that are there have their qom-path.</summary>
    public static void HotpluggableCpus(QmpCall call)
    {
        Utf8JsonWriter json = call.Result;
        json.WriteStartArray();
        CpuTopology topology = call.Machine.Topology;
        Dictionary<int, CpuStatus> present = [];
        foreach (CpuStatus cpu in call.Machine.Cpus)
        {
            present.Add(cpu.Index, cpu);
        }

        for (int index = 0; index < topology.Count; index++)
        {
            json.WriteStartObject();
            WriteTopology(json, topology, index);
            if (present.TryGetValue(index, out CpuStatus cpu))
            {
                json.WriteString("qom-path", CpuPath(cpu));
            }

            json.WriteString("type", CpuType);
            json.WriteNumber("vcpus-count", 1);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    public static void Machines(QmpCall call)
    {
        Utf8JsonWriter json = call.Result;
        json.WriteStartArray();
        json.WriteStartObject();
        json.WriteNumber("cpu-max", ConfigurationLimits.MaxCpus);
        json.WriteBoolean("deprecated", false);
        json.WriteBoolean("hotpluggable-cpus", true);
        json.WriteString("name", ConfigurationLimits.DefaultMachineType);
        json.WriteBoolean("numa-mem-supported", false);
        json.WriteEndObject();
        json.WriteEndArray();
    }

    /// <summary>As QEMU's query-block, for what a raw image has.</summary>
    public static void Block(QmpCall call)
    {
        Utf8JsonWriter json = call.Result;
        json.WriteStartArray();
        foreach (DriveStatus drive in call.Machine.HotPlug.Drives)
        {
            json.WriteStartObject();
            json.WriteString("device", drive.Id);
            json.WritePropertyName("inserted");
            WriteNode(json, drive);
            json.WriteString("io-status", "ok");
            json.WriteBoolean("locked", false);
            json.WriteString("qdev", drive.Id);
            json.WriteBoolean("removable", false);
            json.WriteString("type", "unknown");
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    /// <summary>As QEMU's: drives of devices, then those that no device has yet.</summary>
    public static void NamedBlockNodes(QmpCall call)
    {
        call.Result.WriteStartArray();
        foreach (DriveStatus drive in call.Machine.HotPlug.Drives)
        {
            WriteNode(call.Result, drive);
        }

        foreach (DriveStatus node in call.Machine.HotPlug.Nodes)
        {
            WriteNode(call.Result, node);
        }

        call.Result.WriteEndArray();
    }

    /// <summary>As QEMU's query-iothreads: none polls, and a batch is whatever is there.</summary>
    public static void IoThreads(QmpCall call)
    {
        Utf8JsonWriter json = call.Result;
        json.WriteStartArray();
        foreach (IoThreadStatus thread in call.Machine.IoThreads)
        {
            json.WriteStartObject();
            json.WriteNumber("aio-max-batch", 0);
            json.WriteString("id", thread.Id);
            json.WriteNumber("poll-grow", 0);
            json.WriteNumber("poll-max-ns", 0);
            json.WriteNumber("poll-shrink", 0);
            json.WriteNumber("thread-id", thread.ThreadId);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    public static void Chardevs(QmpCall call)
    {
        Utf8JsonWriter json = call.Result;
        json.WriteStartArray();
        foreach (ChardevStatus chardev in call.Machine.Chardevs)
        {
            json.WriteStartObject();
            json.WriteString("filename", chardev.Filename);
            json.WriteBoolean("frontend-open", chardev.FrontendOpen);
            json.WriteString("label", chardev.Label);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static void WriteNode(Utf8JsonWriter json, in DriveStatus drive)
    {
        json.WriteStartObject();
        json.WriteString("drv", "raw");
        json.WriteString("file", drive.File);
        json.WriteStartObject("image");
        json.WriteString("filename", drive.File);
        json.WriteString("format", "raw");
        json.WriteNumber("virtual-size", drive.Length);
        json.WriteEndObject();
        json.WriteNumber("iops", drive.Iops);
        json.WriteString("node-name", drive.Id);
        json.WriteBoolean("ro", drive.ReadOnly);
        json.WriteEndObject();
    }

    /// <summary>The die only where a socket has several, as in QEMU.</summary>
    private static void WriteTopology(Utf8JsonWriter json, CpuTopology topology, int index)
    {
        CpuPlace place = topology.PlaceOf(index);
        json.WriteStartObject("props");
        json.WriteNumber("core-id", place.Core);
        if (topology.Dies > 1)
        {
            json.WriteNumber("die-id", place.Die);
        }

        json.WriteNumber("socket-id", place.Socket);
        json.WriteNumber("thread-id", place.Thread);
        json.WriteEndObject();
    }

    /// <summary>QEMU's paths: those that came while the machine ran stand by their names.</summary>
    public static string CpuPath(in CpuStatus cpu) =>
        cpu.Id is { } id ? $"/machine/peripheral/{id}" : string.Create(CultureInfo.InvariantCulture, $"/machine/unattached/device[{cpu.Index}]");
}
