namespace Strato.Engine.Bus;

/// <summary>A device's interrupt: one edge a call. From any thread; never blocks.</summary>
internal interface IInterruptLine
{
    void Trigger();
}
