using System;
using System.Collections.Generic;
using System.IO;
using System.Text.Json;
using Strato.Engine.Kvm;
using Strato.Engine.Machine;
using Strato.Protocol.Configuration;
using Strato.Tests.Unit.Boot;
using Strato.Tests.Unit.Chardev;

namespace Strato.Tests.Unit.Machine;

/// <summary>Tests of a whole machine on this thread's loop, with a guest of a few bytes.</summary>
public abstract class MachineTests : IDisposable
{
    private protected KvmSystem Kvm { get; } = PayloadVm.OpenOrSkip();

    private protected TestLoop Test { get; } = new();

    /// <summary>Each with the reason or status that it tells.</summary>
    private protected List<string> Events { get; } = [];

    private protected MicroVm? Board { get; private set; }

    public void Dispose()
    {
        DisposeMore();
        Board?.Dispose();
        Kvm.Dispose();
        Test.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Before all else.</summary>
    protected virtual void DisposeMore()
    {
    }

    /// <summary>A machine that runs.</summary>
    private protected VirtualMachine Start(byte[] code, bool noShutdown)
    {
        ElfBuilder kernel = new();
        kernel.Segments.Add(new ElfBuilder.Segment(1, ElfBuilder.Base, code));
        string path = Test.Path("kernel");
        File.WriteAllBytes(path, kernel.Build());
        Board = new MicroVm(Kvm, new VmConfiguration { Kernel = path, Force = true }, Test.Loop, serial: null);
        VirtualMachine machine = new(Test.Loop, null, Board, noReboot: false, noShutdown);
        machine.StartThreads();
        machine.EventRaised += told => Events.Add(told.Data == "{}" ? told.Name : $"{told.Name} {Detail(told.Data)}");
        machine.Resume();
        return machine;
    }

    private static string? Detail(string data)
    {
        using JsonDocument document = JsonDocument.Parse(data);
        return document.RootElement.TryGetProperty("reason", out JsonElement reason) ? reason.GetString()
            : document.RootElement.TryGetProperty("result", out JsonElement result) ? result.GetProperty("status").GetString()
            : data.Split('"')[^2];
    }
}
