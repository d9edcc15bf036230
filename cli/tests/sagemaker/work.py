"""The function behind every Lambda step of these tests."""


def handle(event, context):
    if event.get("Do") == "fail":
        raise ValueError("asked to fail")
    return {"Value": event.get("Value", ""), "Size": 3, "Good": True}
