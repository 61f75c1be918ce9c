using System.Text.Json;
using Strato.Engine.Machine;

namespace Strato.Engine.Qmp;

/// <summary>Commands that look at the machine's memory.</summary>
internal static class MemoryCommands
{
    /// <summary>As QEMU's; no memory can be plugged in yet.</summary>
    public static void QuerySize(QmpCall call)
    {
        call.Result.WriteStartObject();
        call.Result.WriteNumber("base-memory", call.Machine.Memory.Size);
        call.Result.WriteNumber("plugged-memory", 0);
        call.Result.WriteEndObject();
    }

    /// <summary>StratoVirt answers an empty object and prints the address space; here the object has what one wants to know.</summary>
    public static void Query(QmpCall call)
    {
        MemoryStatus memory = call.Machine.Memory;
        Utf8JsonWriter json = call.Result;
        json.WriteStartObject();
        json.WriteString("backend", $"memory-backend-{memory.Kind}");
        json.WriteBoolean("dump", memory.Dumped);
        if (memory.Path is not null)
        {
            json.WriteString("mem-path", memory.Path);
        }

        json.WriteBoolean("merge", memory.Merged);
        json.WriteNumber("page-size", memory.PageSize);
        json.WriteBoolean("prealloc", memory.Preallocated);
        json.WriteStartArray("ranges");
        foreach ((ulong start, ulong length) in memory.Regions)
        {
            json.WriteStartObject();
            json.WriteNumber("size", length);
            json.WriteNumber("start", start);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteBoolean("share", memory.Shared);
        json.WriteNumber("size", memory.Size);
        json.WriteEndObject();
    }
}
