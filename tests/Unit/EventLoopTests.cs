using System.Threading;
using Strato.Engine.Linux;
using Xunit;

namespace Strato.Tests.Unit;

public class EventLoopTests
{
    [Fact]
    public void WorkPostedFromAnotherThreadRunsOnTheLoop()
    {
        using EventLoop loop = new();
        int ran = 0;
        Thread other = new(() =>
        {
            for (int i = 0; i < 10_000; i++)
            {
                loop.Post(() => ran += loop.IsCurrent ? 1 : 0);
            }

            loop.Post(loop.Stop);
        });
        other.Start();
        loop.Run();
        other.Join();
        Assert.Equal(10_000, ran);
    }

    [Fact]
    public void AHandlerRemovedInTheSameBatchIsNotCalled()
    {
        using EventLoop loop = new();
        using FileDescriptor a = Libc.CreateEventFd();
        using FileDescriptor b = Libc.CreateEventFd();
        int calls = 0;
        loop.Add(a.Value, EpollEvents.In, _ => Once(b.Value));
        loop.Add(b.Value, EpollEvents.In, _ => Once(a.Value));
        Libc.SignalEventFd(a.Value);
        Libc.SignalEventFd(b.Value);
        Assert.True(loop.RunOnce(1000));
        Assert.Equal(1, calls);

        void Once(int other)
        {
            calls++;
            loop.Remove(other);
        }
    }
}
