using System.IO;
using System.Threading;
using Strato.Engine.Linux;
using Xunit;

namespace Strato.Tests.Unit.Machine;

public class IoThreadTests
{
    private const int TooLong = 30_000;

    [Theory]
    [InlineData("iothread1", "iothread1")]
    [InlineData("a-long-name-of-a-thread", "a-long-name-of-")]
    [InlineData("ab", "ab")]
    [InlineData("fourteen-byteä", "fourteen-byteä")]
    [InlineData("fifteen--bytesä", "fifteen--bytes")]
    public void TheThreadBearsTheFirst15BytesOfItsId(string id, string name)
    {
        using Engine.Machine.IoThread thread = new(id);
        Assert.Equal(0, thread.ThreadId);
        thread.Start();
        Assert.Equal(name, File.ReadAllText($"/proc/self/task/{thread.ThreadId}/comm").TrimEnd('\n'));
    }

    [Fact]
    public void WhatIsWatchedIsServedOnTheThreadUntilItIsStopped()
    {
        using Engine.Machine.IoThread thread = new("served");
        using FileDescriptor signal = Libc.CreateEventFd();
        using ManualResetEventSlim served = new();
        int on = 0;
        thread.Loop.Add(signal.Value, EpollEvents.In, _ =>
        {
            Libc.DrainEventFd(signal.Value);
            Volatile.Write(ref on, Libc.gettid());
            served.Set();
        });
        thread.Start();
        Libc.SignalEventFd(signal.Value);
        Assert.True(served.Wait(TooLong));
        Assert.Equal(thread.ThreadId, on);

        thread.Stop();
        thread.Stop();
        served.Reset();
        Libc.SignalEventFd(signal.Value);
        Assert.False(served.IsSet);

        // Now the loop is the caller's: what came meanwhile is still there.
        Assert.True(thread.Loop.RunOnce(0));
        Assert.True(served.IsSet);
        thread.Loop.Remove(signal.Value);
    }
}
