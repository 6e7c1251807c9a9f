"""The live page: pictures, controls, figures. Needs the extra `web`."""
