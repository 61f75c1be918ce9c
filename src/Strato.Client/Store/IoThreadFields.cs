using System;
using System.Collections.Generic;
using System.Text.Json;

namespace Strato.Client.Store;

/// <summary>Threads in <c>vm.json</c>.</summary>
internal static class IoThreadFields
{
    internal static void Write(Utf8JsonWriter writer, VmDefinition vm)
    {
        if (vm.IoThreads.Count == 0)
        {
            return;
        }

        writer.WriteStartArray("ioThreads");
        foreach (IoThreadDefinition thread in vm.IoThreads)
        {
            writer.WriteStartObject();
            writer.WriteString("id", thread.Id);
            DefinitionJson.WriteExtra(writer, thread.Extra);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    internal static IoThreadDefinition[] Read(Fields fields) => Array.ConvertAll(fields.List("ioThreads"), thread =>
    {
        IoThreadDefinition known = new() { Id = thread.Text("id") };
        return known with { Extra = thread.Rest() };
    });

    /// <summary>The VM with those threads, too, that devices name and the list lacks: a definition of an older version had no list.</summary>
    internal static VmDefinition Complete(VmDefinition vm)
    {
        List<IoThreadDefinition> threads = [.. vm.IoThreads];
        foreach (string? name in Named(vm))
        {
            if (!string.IsNullOrEmpty(name) && !threads.Exists(thread => thread.Id == name))
            {
                threads.Add(new IoThreadDefinition { Id = name });
            }
        }

        return threads.Count == vm.IoThreads.Count ? vm : vm with { IoThreads = threads };
    }

    private static IEnumerable<string?> Named(VmDefinition vm)
    {
        foreach (DriveDefinition drive in vm.Drives)
        {
            yield return drive.Io.IoThread;
        }

        foreach (NetworkAdapterDefinition adapter in vm.NetworkAdapters)
        {
            yield return adapter.Settings.IoThread;
        }
    }
}
