using System;
using System.Collections.Generic;
using Strato.Engine.Chardev;

namespace Strato.Tests.Unit.Driver;

/// <summary>A host's side of a port whose room and peer the test decides.</summary>
internal sealed class FakeBackend : ICharBackend
{
    public string Name => "fake";

    public ICharFrontend? Frontend { get; private set; }

    /// <summary>What the guest sent.</summary>
    public List<byte> Sent { get; } = [];

    public bool Keeps { get; init; }

    public int OutputRoom { get; set; } = int.MaxValue;

    public bool HasPeer { get; set; } = true;

    public int Resumes { get; private set; }

    public void Connect(ICharFrontend frontend) => Frontend = frontend;

    public bool Transmit(ReadOnlySpan<byte> data)
    {
        if (Keeps)
        {
            Sent.AddRange(data);
        }

        OutputRoom -= OutputRoom == int.MaxValue ? 0 : data.Length;
        return true;
    }

    public void ResumeInput() => Resumes++;

    public void Flush(TimeSpan limit)
    {
    }

    public void Dispose()
    {
    }
}
